import { expect, test } from 'vitest';
import { formatReply, parseReply } from '#bundle/boot-report.ts';
import type { Mac } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { dice, mutateJson, mutateText } from '#bundle/testdata/mutate.ts';
import { targetFiles } from './identity.ts';
import { parseLease } from './lease.ts';
import { parseParameters } from './parameters.ts';

/** What the agent alone reads from the network, changed at random: a value or a Fault, and nothing that climbs out. */
const rounds = 100_000;
const seed = Number(process.env.BT_SEED ?? 1);

const mac = '52:54:00:00:00:01' as Mac;
const lease =
  'address=10.0.0.5\nrouter=10.0.0.1\ndns=10.0.0.2 10.0.0.3\nhostname=node1\ndomain=lab.example\nlease=3600\n';
const reply = formatReply({ originBytes: 5, httpBytes: 6, mayGo: true });
const cmdline = [
  `bt.server=http://10.0.0.1:8480 bt.session=${'e'.repeat(32)} bt.mac=${mac} bt.bootstrap=${'ab'.repeat(32)}`,
  'console=tty0 console=ttyS0 bt.break=verify bt.debug',
].join(' ');

/** @returns how many were refused */
function refusals(parse: (random: () => number) => void): number {
  const random = dice(seed);
  let refused = 0;
  for (let round = 0; round < rounds; round++) {
    try {
      parse(random);
    } catch (error) {
      if (!(error instanceof Fault)) throw new Error(`Round ${round} threw no fault`, { cause: error });
      refused++;
    }
  }
  return refused;
}

test(`kernel command line: ${rounds} changed inputs, seed ${seed}`, () => {
  expect(parseParameters(cmdline)).toMatchObject({ server: 'http://10.0.0.1:8480', mac });
  expect(refusals((random) => parseParameters(mutateText(cmdline, random)))).toBeGreaterThan(rounds / 20);
});

test(`reply to a report: ${rounds} changed inputs, seed ${seed}`, () => {
  expect(parseReply(reply)).toEqual({ originBytes: 5, httpBytes: 6, mayGo: true });
  expect(refusals((random) => parseReply(mutateJson(reply, random)))).toBeGreaterThan(rounds / 20);
});

test(`lease: ${rounds} changed inputs, seed ${seed}: no line of it becomes another line of the target`, () => {
  const linesOf = (text: string) => {
    const parsed = parseLease(text);
    if (!parsed) return undefined;
    const files = targetFiles({ identity: { machineId: '0'.repeat(32), hostname: 'n' }, mac, lease: parsed });
    return files.find((file) => file.path === 'etc/resolv.conf')?.text;
  };
  expect(linesOf(lease)).toBe('search lab.example\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n');
  let seen = 0;
  const refused = refusals((random) => {
    const text = linesOf(mutateText(lease, random));
    if (text === undefined) return;
    seen++;
    if (!/^(search [A-Za-z0-9.-]+\n)?(nameserver [0-9.]+\n)*$/.test(text)) throw new Error(JSON.stringify(text));
  });
  expect({ refused, seen: seen > rounds / 4 }).toEqual({ refused: 0, seen: true });
});
