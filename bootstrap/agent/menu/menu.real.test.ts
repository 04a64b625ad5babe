import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { Arch } from '#bundle/manifest.ts';
import { extractPackages, fetchPackages } from '#pipeline/source/apt.ts';
import { lockPackages } from '#pipeline/source/lock.ts';
import { openStore } from '#store/local.ts';
import { libraryPlaces, suite } from '../../contents.ts';
import type { DownloadState } from '../download-view.ts';
import type { MenuEntry } from './entries.ts';
import type { MenuProgram } from './testdata/menu-main.ts';
import { openScreenTerminal } from './testdata/screen-terminal.ts';

/** Kept between runs, with the tests that boot. */
const statePath = fileURLToPath(new URL('../../../.boottorrent-test', import.meta.url));
const arch: Arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
const images = ['debian', 'größe', 'memtest'].map((name): MenuEntry => {
  const common = { version: '0123456789ab', method: 'kexec', downloadBytes: 62e6, memoryBytes: 200e6 } as const;
  return { name, title: `The ${name}`, ...common };
});
const half: DownloadState = {
  ...{ doneBytes: 50e6, totalBytes: 100e6, bytesPerSecond: 10e6, peers: 3 },
  ...{ originBytes: 10e6, httpBytes: 0, stage: 'swarm' },
};
let directory = '';
let quickjs: readonly string[] = [];
let running: ChildProcess[] = [];

/** The menu under the QuickJS of the bootstrap, on two pseudo-terminals for consoles. */
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'boottorrent-menu-'));
  const options = { store: await openStore(join(statePath, 'store')), cachePath: join(statePath, 'tools') };
  const packages = await lockPackages({ suite, arch, packages: ['quickjs'], dependencies: true }, options);
  const root = join(directory, 'root');
  await extractPackages(await fetchPackages(packages, { suite, arch, ...options }), root);
  const { loader, folder } = libraryPlaces[arch];
  quickjs = [join(root, 'usr', loader), '--library-path', join(root, folder), join(root, 'usr/bin/qjs')];
  const input = fileURLToPath(new URL('testdata/menu-main.ts', import.meta.url));
  const bundle = await rolldown({ input, external: ['std', 'os'], platform: 'neutral' });
  await bundle.write({ file: join(directory, 'menu.js'), format: 'esm' });
  await bundle.close();
});
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running = [];
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A pseudo-terminal as a console of that name: what is typed at its other end, and what is seen there. */
async function openConsole(folder: string, name: string) {
  const child = spawn('script', ['-qfc', `tty >${folder}/${name}.tty; exec sleep 600`, '/dev/null']);
  running.push(child);
  const screen = openScreenTerminal(80, 24);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    screen.write(chunk.toString());
  });
  const device = await vi.waitFor(() => {
    const path = readFileSync(join(folder, `${name}.tty`), 'utf8').trim();
    expect(path).toMatch(/^\/dev\/pts\//);
    return path;
  });
  symlinkSync(device, join(folder, name));
  return {
    path: join(folder, name),
    screen,
    text: () => text,
    type: (keys: string) => child.stdin.write(keys),
    settings: () => execFileSync('stty', ['-F', device, '-a'], { encoding: 'utf8' }),
    sees: (wanted: string) => vi.waitFor(() => expect(screen.text()).toContain(wanted), { timeout: 15_000 }),
  };
}

async function openMenu(menu: Partial<MenuProgram['menu']> = {}, download: readonly DownloadState[] = []) {
  const folder = mkdtempSync(join(directory, 'run-'));
  const printkPath = join(folder, 'printk');
  writeFileSync(printkPath, '7\t4\t1\t7\n');
  const [screen, serial] = await Promise.all([openConsole(folder, 'tty0'), openConsole(folder, 'ttyS0')]);
  const program: MenuProgram = {
    ...{ workPath: folder, consoles: [screen.path, serial.path], printkPath, download },
    menu: { images, default: 'größe', timeoutMs: -1, shell: true, ...menu },
  };
  const [command = '', ...argv] = [...quickjs, '-m', join(directory, 'menu.js')];
  const child = spawn(command, argv, { env: { ...process.env, MENU_PROGRAM: JSON.stringify(program) } });
  running.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk;
    });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const printk = () => readFileSync(printkPath, 'utf8');
  const choice = async () => {
    await ended;
    return JSON.parse(/^choice (.*)$/m.exec(output)?.[1] ?? output) as unknown;
  };
  return { screen, serial, choice, printk, output: () => output };
}

it('the menu is on both consoles, and arrows and Enter choose at either of them', async () => {
  const { screen, serial, choice, printk, output } = await openMenu();
  await screen.sees('► The größe');
  await serial.sees('> The groesse');
  expect(printk()).toBe('1');
  serial.type('\x1b[B');
  await screen.sees('► The memtest');
  await vi.waitFor(() => expect(serial.screen.selected()).toContain('> The memtest'));
  expect(serial.settings()).toMatch(/-icanon[\s\S]* -echo /);
  serial.type('\x1bOA\x1b[A\r');
  expect(await choice()).toEqual({ kind: 'image', name: 'debian', keyed: ['ttyS0'] });
  // As before, and nothing that was said in the meantime is lost.
  expect(serial.settings()).toMatch(/ icanon[\s\S]* echo /);
  expect(printk()).toBe('7\t4\t1\t7\n');
  expect(serial.text().endsWith('\x1b[?25h\x1b[2J\x1b[H')).toBe(true);
  expect(output()).toMatch(/^the menu comes\n(tick [0-9]+\n)*choice .*\nend\n$/);
  await screen.sees('end');
});

it('the menu boots the default when the countdown is over', async () => {
  const { screen, choice } = await openMenu({ timeoutMs: 2500 });
  await screen.sees('Boots größe in 2 s');
  expect(await choice()).toEqual({ kind: 'image', name: 'größe', keyed: [] });
});

it('the menu searches, and shows details and the log', async () => {
  const { screen, choice } = await openMenu({ timeoutMs: 60_000 });
  await screen.sees('Boots größe in');
  screen.type('mem');
  await screen.sees('Search: mem_');
  expect(screen.screen.text()).not.toContain('The debian');
  screen.type('\t');
  await screen.sees('Method    kexec');
  screen.type('\t');
  await screen.sees('the menu comes');
  screen.type('\x1b');
  await screen.sees('► The memtest');
  screen.type('\r');
  expect(await choice()).toEqual({ kind: 'image', name: 'memtest', keyed: ['tty0'] });
});

it('the menu gives a shell at Escape, and comes back when it ends', async () => {
  const { serial, screen, choice } = await openMenu();
  await serial.sees('> The groesse');
  serial.type('\x1b');
  await serial.sees('exit goes back to the menu');
  serial.type('echo $((6 * 7))\n');
  await serial.sees('\n42');
  // The other console still has the menu.
  expect(screen.screen.text()).toContain('► The größe');
  serial.type('exit\n');
  await serial.sees('> The groesse');
  serial.type('\r');
  expect(await choice()).toMatchObject({ name: 'größe' });
});

it('the download is on a whole screen where a person was, and in lines on a serial line where nobody was', async () => {
  const { screen, serial, choice, output } = await openMenu({}, [half, { ...half, doneBytes: 75e6 }]);
  await screen.sees('► The größe');
  screen.type('\r');
  await screen.sees('75 %');
  expect(screen.screen.text()).toContain('From other nodes');
  expect(serial.screen.text()).not.toContain('From other nodes');
  await choice();
  expect(output()).toContain('download 50000000\ndownload 75000000\nend\n');
});
