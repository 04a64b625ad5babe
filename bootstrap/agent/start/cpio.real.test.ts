import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { encodeCpio } from './cpio.ts';

it('encodeCpio() is an archive that cpio unpacks', () => {
  const folder = mkdtempSync(join(tmpdir(), 'boottorrent-cpio-'));
  const archive = encodeCpio([
    { path: 'run' },
    { path: 'run/boottorrent' },
    { path: 'run/boottorrent/session', text: 'A=ä\n' },
  ]);
  expect(archive.length % 4).toBe(0);
  execFileSync('cpio', ['--extract', '--quiet'], { cwd: folder, input: archive });
  expect(readFileSync(join(folder, 'run/boottorrent/session'), 'utf8')).toBe('A=ä\n');
  expect(statSync(join(folder, 'run/boottorrent')).mode & 0o777).toBe(0o755);
  rmSync(folder, { recursive: true });
});
