import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openFolderHost } from '../../folder-host.ts';
import type { KexecPhase } from '../phases.ts';
import { joinInitrds } from './initrd.ts';

const session = { SERVER: 'http://10.0.0.1:8480', SESSION: 's', MAC: 'm', SITE: 'lab', IMAGE: 'os', MANIFEST: 'd' };

function phase(takesSession: boolean): KexecPhase {
  return { kind: 'kexec', kernel: 'k', initrds: ['a', 'b', 'c'], cmdline: '', unbind: [], takesSession };
}

it('joinInitrds() puts them end to end in the first file, each from a multiple of 4 on', () => {
  const host = openFolderHost();
  const root = host.workPath;
  writeFileSync(`${root}/a`, 'aaaaa');
  writeFileSync(`${root}/b`, 'bbbb');
  writeFileSync(`${root}/c`, 'c');
  expect(joinInitrds(host, phase(false), { root, session })).toBe(`${root}/a`);
  expect(readFileSync(`${root}/a`, 'latin1')).toBe('aaaaa\0\0\0bbbbc');
  expect(existsSync(`${root}/b`)).toBe(false);
  host.remove();
});

it('joinInitrds() gives the session to our own stage', () => {
  const host = openFolderHost();
  const root = host.workPath;
  writeFileSync(`${root}/a`, 'odd');
  joinInitrds(host, { ...phase(true), initrds: ['a'] }, { root, session });
  mkdirSync(`${root}/out`);
  execFileSync('cpio', ['--extract', '--quiet'], { cwd: `${root}/out`, input: readFileSync(`${root}/a`).subarray(4) });
  expect(readFileSync(`${root}/out/run/boottorrent/session`, 'utf8')).toBe(
    'SERVER=http://10.0.0.1:8480\nSESSION=s\nMAC=m\nSITE=lab\nIMAGE=os\nMANIFEST=d\n',
  );
  host.remove();
});
