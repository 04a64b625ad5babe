import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bootDiskText, diskArguments, makeBootDisk } from '../lab/boot-disk.ts';
import { type Script, script } from './ipxe.ts';

/** How long a machine may take to say something: the iPXE of QEMU alone takes 5 to 20 s. */
const patience = { timeout: 120_000, interval: 100 };
const firmwarePath = '/usr/share/OVMF';

let folder = '';
let server: Server;
let machine: ChildProcess | undefined;
let screen = '';
let asked: string[] = [];
let answers: Readonly<Record<string, () => string | Buffer>> = {};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-ipxe-'));
  [screen, asked] = ['', []];
  server = createServer(({ url = '' }, response) => {
    asked.push(url);
    const body = answers[url]?.();
    response.statusCode = body === undefined ? 404 : 200;
    response.setHeader('content-length', Buffer.byteLength(body ?? ''));
    response.end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  await makeBootDisk(join(folder, 'disk'));
});

afterEach(async () => {
  if (machine && machine.exitCode === null) {
    const closed = once(machine, 'close');
    machine.kill('SIGKILL');
    await closed;
  }
  server.close();
  await rm(folder, { recursive: true });
});

/** The server as a machine behind QEMU's own network sees it, whose DHCP names the script. */
const url = (path: string) => `http://10.0.2.2:${(server.address() as AddressInfo).port}${path}`;
const common = () => ({ scriptUrl: url('/script'), shell: false, title: 'test@01' });

function powerOn(...more: readonly string[]): void {
  const network = [
    '-netdev',
    `user,id=n0,bootfile=${url('/script')}`,
    '-device',
    'virtio-net-pci,netdev=n0,bootindex=0',
  ];
  const argv = ['-accel', 'tcg', '-m', '256', '-nographic', '-no-reboot', '-monitor', 'none', ...network, ...more];
  machine = spawn('qemu-system-x86_64', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  machine.stdout?.on('data', (chunk: Buffer) => (screen += chunk.toString('latin1')));
}

/** The screen without its colours and cursor movements. */
const text = () => stripVTControlCharacters(screen);
const serve = (what: Script) => (answers = { ...answers, '/script': () => script(what) });

describe('a BIOS machine', () => {
  test('says why it cannot hand over, and a key leads to the local disk', async () => {
    serve({ ...common(), kind: 'chain', cmdline: '', firmware: 'bios', nbp: url('/missing.0') });
    powerOn(...diskArguments(join(folder, 'disk')));
    await expect.poll(text, patience).toContain('press a key for other ways');
    expect(text()).toMatch(/cannot start test@01: 0x[0-9a-f]{8}/);
    machine?.stdin?.write(' ');
    await expect.poll(text, patience).toContain('Start the local disk (l)');
    machine?.stdin?.write('l\r');
    await expect.poll(text, patience).toContain(bootDiskText);
    expect(asked.slice(0, 2)).toEqual(['/script', '/missing.0']);
  });

  test('hands over to another boot program, and asks for a fresh script after one that failed', async () => {
    const nbp = (await readFile(join(folder, 'disk'))).subarray(0, 512);
    answers = { '/rescue.0': () => nbp };
    const chain = (path: string) =>
      script({ ...common(), kind: 'chain', cmdline: '', firmware: 'bios', nbp: url(path) });
    answers = { ...answers, '/script': () => chain(asked.length === 1 ? '/missing.0' : '/rescue.0') };
    powerOn();
    await expect.poll(text, patience).toContain(bootDiskText);
    expect(asked).toEqual(['/script', '/missing.0', '/script', '/rescue.0']);
  });

  test.runIf(process.env.BT_TEST === 'all')('starts the local disk', async () => {
    serve({ ...common(), kind: 'local', firmware: 'bios' });
    powerOn(...diskArguments(join(folder, 'disk')));
    await expect.poll(text, patience).toContain(bootDiskText);
    expect(asked).toEqual(['/script']);
  });
});

describe.runIf(process.env.BT_TEST === 'all')('a UEFI machine', () => {
  test("gives way to the firmware's next entry for the local disk", async () => {
    serve({ ...common(), kind: 'local', firmware: 'uefi-x64' });
    await copyFile(join(firmwarePath, 'OVMF_VARS_4M.fd'), join(folder, 'vars'));
    const flash = (file: string, more = '') => ['-drive', `if=pflash,format=raw${more},file=${file}`];
    const code = flash(join(firmwarePath, 'OVMF_CODE_4M.fd'), ',readonly=on');
    powerOn('-machine', 'q35', ...code, ...flash(join(folder, 'vars')));
    // The entry after that of the ROM's iPXE: the firmware's own PXE.
    await expect.poll(text, patience).toContain('>>Start PXE over IPv4');
    expect(text()).toContain('test@01: starting the local disk');
  });
});
