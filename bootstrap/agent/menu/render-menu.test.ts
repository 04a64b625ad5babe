import fc from 'fast-check';
import { expect, it } from 'vitest';
import { methods } from '#bundle/start.ts';
import type { DownloadState } from '../download-view.ts';
import { beginScreen, drawScreen } from './draw.ts';
import type { MenuEntry } from './entries.ts';
import { type MenuState, openMenu, pressKey, views } from './model.ts';
import { renderMenu } from './render-menu.ts';
import { renderProgress } from './render-progress.ts';
import type { Canvas, Line } from './screen-lines.ts';
import { openScreenTerminal } from './testdata/screen-terminal.ts';

const images: readonly MenuEntry[] = [
  {
    name: 'debian',
    title: 'Debian 13',
    description: 'A small Debian with a shell on every console. Nothing is written to a disk.',
    version: '0123456789ab',
    method: 'switch-root',
    downloadBytes: 92.4e6,
    memoryBytes: 193e6,
  },
  {
    name: 'local-disk',
    title: 'Lokale Größe',
    version: 'ab0123456789',
    method: 'local',
    downloadBytes: 0,
    memoryBytes: 0,
  },
  {
    name: 'vm',
    title: 'A virtual machine',
    version: 'cd0123456789',
    method: 'qemu',
    downloadBytes: 1.3e9,
    memoryBytes: 2.6e9,
  },
];
const small: Canvas = { columns: 80, rows: 24, charset: 'ascii' };
const around = { freeBytes: 968e6, log: ['    1.0 s  network       eth0 is up', '    2.0 s  verify        signed'] };
const menu = openMenu({ images, default: 'debian', timeoutMs: 10_000, shell: true });
const text = (lines: readonly Line[]) => lines.map((one) => one.text.trimEnd()).join('\n');

it('renderMenu() shows the images, what they need, and the countdown', () => {
  expect(text(renderMenu(menu, around, small))).toMatchInlineSnapshot(`
    " BootTorrent                                              968 MB of memory free
      Image                                          Download    Memory
    > Debian 13                                         92 MB    193 MB  default
      Lokale Groesse                                        -         -
      A virtual machine                                1.3 GB    2.6 GB  too little













    --------------------------------------------------------------------------------
     A small Debian with a shell on every console. Nothing is written to a disk.

    --------------------------------------------------------------------------------
     Boots debian in 10 s, any key stops this
     Enter boot  Up/Down select  Type to search  Tab details, log  Esc shell"
  `);
});

it('renderMenu() warns when there is too little memory', () => {
  const lines = renderMenu({ ...menu, selected: 2 }, around, small);
  expect(text(lines)).toContain('Needs 2.6 GB of memory, too little: 968 MB are free');
  expect(lines.find((one) => one.text.includes('A virtual machine'))).toMatchObject({
    style: 'reverse',
    text: expect.stringContaining('too little'),
  });
});

it('renderMenu() shows details and the log', () => {
  const { state } = pressKey(menu, { kind: 'tab' });
  expect(text(renderMenu(state, around, small))).toMatchInlineSnapshot(`
    " BootTorrent                                              968 MB of memory free

      Debian 13

      A small Debian with a shell on every console. Nothing is written to a disk.

      Name      debian
      Version   0123456789ab
      Method    switch-root: its system runs on this kernel, from this node's memory
      Download  92 MB
      Memory    needs 193 MB, 968 MB are free
      Default   boots when nobody chooses









    --------------------------------------------------------------------------------

     Enter boot  Up/Down next image  Tab log  Esc back"
  `);
  const log = text(renderMenu({ ...state, view: 'log' }, around, { ...small, rows: 6 }));
  expect(log.split('\n').slice(1, 3)).toEqual(around.log);
});

it('renderMenu() pages through a long list', () => {
  const many = Array.from({ length: 50 }, (_, index) => ({ ...images[0], name: `i${index}`, title: `Image ${index}` }));
  const state = {
    ...openMenu({ images: many as MenuEntry[], default: 'i0', timeoutMs: -1, shell: false }),
    selected: 49,
  };
  const shown = text(renderMenu(state, around, small));
  expect(shown).toContain('> Image 49');
  expect(shown).toContain('of 50');
});

const canvas = fc.record({
  columns: fc.integer({ min: 1, max: 200 }),
  rows: fc.integer({ min: 1, max: 70 }),
  charset: fc.constantFrom('utf8' as const, 'ascii' as const),
});
const hostile = fc.string({ unit: 'binary', maxLength: 120 });
const entry = fc.record({
  name: fc.stringMatching(/^[a-z0-9-]{1,64}$/),
  title: hostile,
  description: hostile,
  version: fc.constant('0123456789ab'),
  method: fc.constantFrom(...methods),
  downloadBytes: fc.maxSafeNat(),
  memoryBytes: fc.maxSafeNat(),
});
const state: fc.Arbitrary<MenuState> = fc
  .record({
    entries: fc.array(entry, { minLength: 1, maxLength: 40 }),
    selected: fc.nat(39),
    search: hostile,
    view: fc.constantFrom(...views),
    scroll: fc.nat(10_000),
    remainingMs: fc.nat(),
  })
  .map((one) => ({ ...one, default: one.entries[0]?.name ?? '', mayShell: true }));

function expectHarmless(lines: readonly Line[], { columns, rows, charset }: Canvas): void {
  expect(lines.length).toBe(rows);
  for (const one of lines) {
    expect(one.text.length).toBe(columns);
    expect(one.text).toMatch(charset === 'ascii' ? /^[\x20-\x7e]*$/ : /^[^\p{C}\p{M}\p{Cs}]*$/u);
  }
}

it('renderMenu() fills exactly the screen, with printable characters, whatever titles, log and size are', () => {
  fc.assert(
    fc.property(state, fc.array(hostile, { maxLength: 60 }), canvas, (one, log, size) => {
      expectHarmless(renderMenu(one, { freeBytes: 1e9, log }, size), size);
    }),
  );
});

const numbers = fc.oneof(fc.maxSafeNat(), fc.nat(1000));
const download: fc.Arbitrary<DownloadState> = fc.record({
  doneBytes: numbers,
  totalBytes: numbers,
  bytesPerSecond: numbers,
  peers: fc.nat(),
  originBytes: numbers,
  httpBytes: numbers,
  stage: fc.constantFrom('swarm' as const, 'web-seed' as const, 'http' as const),
});

it('renderProgress() fills exactly the screen, whatever the numbers are', () => {
  fc.assert(
    fc.property(download, hostile, fc.array(hostile), canvas, (one, title, log, size) => {
      expectHarmless(renderProgress(one, { title, log }, size), size);
    }),
  );
});

const half: DownloadState = {
  doneBytes: 28.1e6,
  totalBytes: 62.4e6,
  bytesPerSecond: 23.1e6,
  peers: 28,
  originBytes: 8e6,
  httpBytes: 0,
  stage: 'swarm',
};

it('renderProgress() tells percent, speed, peers, time left and bytes by source', () => {
  expect(text(renderProgress(half, { title: 'Debian 13', log: around.log }, small))).toMatchInlineSnapshot(`
    " BootTorrent  Debian 13

      Downloading from the swarm

      ##############################......................................   45 %

      28.1 of 62.4 MB         23.1 MB/s     28 peers    time left 2 s

      From other nodes           20.1 MB    72 %
      From the server's seed      8.0 MB    28 %
      By HTTP                     0.0 MB     0 %

    --------------------------------------------------------------------------------
        1.0 s  network       eth0 is up
        2.0 s  verify        signed








    "
  `);
});

it('drawScreen() brings any screen to any other, as a VT100 shows it', () => {
  const view = { ...small, charset: 'utf8' as const };
  fc.assert(
    fc.property(fc.array(fc.oneof(state, download), { maxLength: 6 }), (states) => {
      const terminal = openScreenTerminal(80, 24);
      terminal.write(beginScreen);
      let before: readonly Line[] | undefined;
      for (const one of states) {
        const now =
          'entries' in one ? renderMenu(one, around, view) : renderProgress(one, { title: 'x', log: around.log }, view);
        terminal.write(drawScreen(before, now));
        expect(terminal.rows()).toEqual(now.map((row) => row.text));
        expect(now.map((_, row) => terminal.isReverse(row))).toEqual(now.map((row) => row.style === 'reverse'));
        before = now;
      }
    }),
  );
});

it('drawScreen() is usable at 9600 baud: a second costs a few bytes, a step in the list two rows', () => {
  const first = renderMenu(menu, around, small);
  const later = renderMenu({ ...menu, remainingMs: 8000 }, around, small);
  const moved = renderMenu({ ...menu, selected: 1 }, around, small);
  expect(drawScreen(undefined, first).length).toBeLessThan(1500);
  expect(drawScreen(renderMenu({ ...menu, remainingMs: 9000 }, around, small), later).length).toBeLessThan(20);
  expect(drawScreen(first, moved).length).toBeLessThan(400);
  const next = { ...half, doneBytes: 30e6, originBytes: 8.2e6, bytesPerSecond: 22.4e6 };
  const log = around.log;
  const [a, b] = [half, next].map((one) => renderProgress(one, { title: 'x', log }, small));
  expect(drawScreen(a, b ?? []).length).toBeLessThan(120);
  expect(drawScreen(first, first)).toBe('');
});
