import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { Fault } from '#bundle/fault.ts';
import { digestOf } from '../store/digest.ts';
import { extractPackages } from './apt.ts';
import { hostileTars, packageOf, tar } from './testdata/hostile-tars.ts';

/**
 * Archives that mean harm, as the files of a Debian package: each is refused in time, nothing appears beside the folder
 * that it is unpacked into, nothing of it is executed.
 */
const folder = mkdtempSync(join(tmpdir(), 'bt-archives-'));
const [around, outside, mark] = [join(folder, 'around'), join(folder, 'outside'), join(folder, 'mark')];
const target = join(around, 'a', 'target');
const archives = Object.entries(hostileTars(outside));
const limits = { limitBytes: 16 * 1024 * 1024, limitEntries: 10_000 };
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(() => {
  rmSync(around, { recursive: true, force: true });
  rmSync(outside, { recursive: true, force: true });
  for (const path of [join(around, 'a'), outside]) mkdirSync(path, { recursive: true });
});

async function unpack(bytes: Buffer): Promise<void> {
  const path = join(folder, 'evil.deb');
  const deb = packageOf(bytes, mark);
  writeFileSync(path, deb);
  const about = { name: 'evil', version: '1', sha256: digestOf(deb), sizeBytes: deb.length };
  await extractPackages([{ package: about as never, path }], target, limits);
}

it('there are at least 80 archives, and a sound one is unpacked', async () => {
  expect(archives.length).toBeGreaterThanOrEqual(80);
  const files = [
    { name: './', type: '5' },
    { name: './a', data: 'x' },
    { name: './b', type: '2', link: '/etc/a' },
  ];
  await unpack(tar(...files, { name: './c', type: '1', link: './a' }));
  expect(readdirSync(target).toSorted()).toEqual(['a', 'b', 'c']);
  expect(readFileSync(join(target, 'c'), 'utf8')).toBe('x');
  expect(existsSync(mark)).toBe(false);
});

it.each(archives)('extractPackages() refuses %s', async (_, bytes) => {
  const startMs = performance.now();
  const error = await unpack(bytes).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(Fault);
  const { code, message, hint } = error as Fault;
  expect(code).toMatch(/^(ARCHIVE_REFUSED|ARCHIVE_INVALID|PACKAGE_UNREADABLE)$/);
  expect(message).toContain('evil');
  expect(hint?.length).toBeGreaterThan(10);
  expect(performance.now() - startMs).toBeLessThan(10_000);
  expect(readdirSync(around)).toEqual(['a']);
  expect(readdirSync(join(around, 'a'))).toEqual(['target']);
  expect(readdirSync(outside)).toEqual([]);
  expect(existsSync(mark) || existsSync('/evil')).toBe(false);
  for (const name of readdirSync(target)) {
    expect(['good', 'more', 'out', 'a', 'b', 'zeros', 'fine'].includes(name) || /^f\d+$/.test(name)).toBe(true);
  }
  if (existsSync(join(target, 'zeros'))) expect(statSync(join(target, 'zeros')).size).toBeLessThan(limits.limitBytes);
});
