import { expect, it } from 'vitest';
import { openFolderHost } from '../folder-host.ts';
import { openBoot } from './boot.ts';
import type { Host } from './host.ts';
import type { Network } from './network.ts';
import { parseParameters } from './parameters.ts';
import { openReporter } from './reporter.ts';

/** A machine whose server answers every question as busybox wget tells it. */
function machine(said: string): Host & { readonly lines: string[]; remove(): void } {
  const host = openFolderHost();
  const child = { pid: 1, poll: () => 1, stop: () => {}, output: () => `wget: ${said}\n` };
  const run = (argv: readonly string[]) =>
    argv[0] === 'timeout' ? { status: 1, stdout: '', stderr: `wget: ${said}` } : host.run(argv);
  return { ...host, run, start: () => child };
}

function attempts(host: Host, count: number): readonly string[] {
  const digest = 'd'.repeat(64);
  const own = `bt.server=http://10.20.0.1:8480 bt.session=${'a'.repeat(32)} bt.mac=52:54:00:aa:00:01 bt.bootstrap=${digest}`;
  const parameters = parseParameters(own);
  const at = (name: string) => `${host.workPath}/${name}`;
  const paths = {
    keys: at('keys'),
    buildTime: at('time'),
    leaseScript: at('lease'),
    newRoot: at('new'),
    run: at('run'),
  };
  const reporter = openReporter(host, parameters);
  const attempt = openBoot(host, { parameters, paths, network: {} as Network, reporter });
  return Array.from({ length: count }, attempt);
}

it('openBoot() reboots for a new session when the server does not know this one any more', () => {
  const host = machine('server returned error: HTTP/1.1 404 Not Found');
  expect(attempts(host, 3)).toEqual(['retry', 'retry', 'retry-by-reboot']);
  expect(host.lines.join('\n')).toContain('[SESSION_UNKNOWN]');
  host.remove();
});

it.each([
  ["can't connect to remote host (10.20.0.1): Connection refused", 'SERVER_UNREACHABLE'],
  ['server returned error: HTTP/1.1 503 Service Unavailable', 'SERVER_BUSY'],
  ['server returned error: HTTP/1.1 503 PART_UNKNOWN', 'SERVER_BUSY'],
])('openBoot() tries again for as long as the server is not there: %s', (said, code) => {
  const host = machine(said);
  expect(attempts(host, 5)).toEqual(Array(5).fill('retry'));
  expect(host.lines.join('\n')).toContain(`[${code}]`);
  host.remove();
});
