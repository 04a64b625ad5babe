import { afterEach, expect, it } from 'vitest';
import { openFolderHost } from '../../folder-host.ts';
import type { DownloadState } from '../download-view.ts';
import type { Host, Terminal } from '../host.ts';
import { chooseInMenu, type MenuOptions } from './choose.ts';
import { screenConsoles } from './consoles.ts';
import type { MenuEntry } from './entries.ts';
import { openProgress } from './progress.ts';
import { openScreenTerminal } from './testdata/screen-terminal.ts';

const images = ['debian', 'installer', 'memtest'].map((name): MenuEntry => {
  const common = { version: '0123456789ab', method: 'kexec', downloadBytes: 1e6, memoryBytes: 2e6 } as const;
  return { name, title: `The ${name}`, ...common };
});
const folders: { remove(): void }[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove();
});

/** What a person does, by milliseconds since the menu opened. */
type Typed = readonly (readonly [atMs: number, text: string])[];

interface FakeTerminal extends Terminal {
  readonly screen: ReturnType<typeof openScreenTerminal>;
  readonly events: string[];
  writtenBytes: number;
}

function fakeTerminal(name: string, clock: { ms: number }, typed: Typed = [], bytesPerSecond?: number): FakeTerminal {
  const screen = openScreenTerminal(80, 24);
  const waiting = [...typed];
  const events: string[] = [];
  let shellEndsMs = 0;
  return {
    ...{ name, columns: 80, rows: 24, screen, events, writtenBytes: 0 },
    ...(bytesPerSecond !== undefined && { bytesPerSecond }),
    read: () => (waiting[0] && waiting[0][0] <= clock.ms ? Buffer.from(waiting.shift()?.[1] ?? '') : new Uint8Array()),
    write(bytes) {
      screen.write(Buffer.from(bytes).toString());
      this.writtenBytes += bytes.length;
      return bytes.length;
    },
    startShell: () => {
      events.push('shell');
      shellEndsMs = clock.ms + 1000;
      const poll = () => {
        // The shell reads what is typed.
        while (waiting[0] && waiting[0][0] <= clock.ms) waiting.shift();
        return clock.ms >= shellEndsMs ? 0 : undefined;
      };
      return { pid: 1, poll, stop: () => events.push('stop'), output: () => '' };
    },
    resume: () => events.push('resume'),
    close: () => events.push('close'),
  };
}

function openFakeHost(clock: { ms: number }, terminals: readonly Terminal[], cmdline = ''): Host {
  const folder = openFolderHost(terminals);
  folders.push(folder);
  const files: Readonly<Record<string, string>> = {
    '/proc/cmdline': cmdline,
    '/proc/meminfo': 'MemAvailable:  900000 kB\n',
  };
  const sleep = (milliseconds: number) => {
    clock.ms += milliseconds;
    if (clock.ms > 3600_000) throw new Error('nobody has chosen');
  };
  return { ...folder, readText: (path) => files[path], uptimeMs: () => clock.ms, sleep };
}

function choose(options: Partial<MenuOptions>, ...typed: readonly Typed[]) {
  const clock = { ms: 0 };
  const names = ['tty0', 'ttyS0'];
  const terminals = typed.map((one, index) => fakeTerminal(names[index] ?? '', clock, one));
  let ticks = 0;
  const onTick = () => {
    ticks += 1;
  };
  const all = { images, default: 'installer', timeoutMs: 5000, shell: true, onTick, ...options };
  const choice = chooseInMenu(openFakeHost(clock, terminals), all);
  return { choice, clock, terminals, ticks };
}

it('chooseInMenu() chooses the default when the countdown ends, and tells the time meanwhile', () => {
  const { choice, clock, ticks, terminals } = choose({}, [], []);
  expect(choice).toEqual({ kind: 'image', name: 'installer', keyed: [] });
  expect(clock.ms).toBeGreaterThanOrEqual(5000);
  expect(clock.ms).toBeLessThan(5200);
  expect(ticks).toBe(4);
  expect(terminals.map(({ events }) => events)).toEqual([['close'], ['close']]);
});

it('chooseInMenu() shows nothing at a timeout of 0, and without a console', () => {
  const { terminals, clock } = choose({ timeoutMs: 0 }, [], []);
  expect([clock.ms, terminals[0]?.writtenBytes, terminals[0]?.events]).toEqual([0, 0, []]);
  expect(choose({ timeoutMs: -1 }).choice.name).toBe('installer');
});

it('chooseInMenu() hears every console, and says at which one somebody was', () => {
  const { choice, clock } = choose(
    { timeoutMs: -1 },
    [],
    [
      [3000, '\x1b[B'],
      [20_000, '\r'],
    ],
  );
  expect(choice).toEqual({ kind: 'image', name: 'memtest', keyed: ['ttyS0'] });
  expect(clock.ms).toBeGreaterThanOrEqual(20_000);
});

it('chooseInMenu() forgets what was typed before', () => {
  expect(choose({ timeoutMs: 2000 }, [[0, '\x1b[B\r']]).choice.name).toBe('installer');
});

it('chooseInMenu() leaves the consoles as they were, also after a mistake', () => {
  const clock = { ms: 0 };
  const terminal = fakeTerminal('tty0', clock);
  const onTick = () => {
    throw new Error('mistake');
  };
  const options = { images, default: 'debian', timeoutMs: -1, shell: false, onTick };
  expect(() => chooseInMenu(openFakeHost(clock, [terminal]), options)).toThrow('mistake');
  expect(terminal.events).toEqual(['close']);
  expect(terminal.screen.text().trim()).toBe('');
});

it('chooseInMenu() opens a shell at that console, and comes back', () => {
  const { choice, terminals } = choose({}, [
    [1000, '\x1b'],
    [1800, 'not for the menu'],
    [4000, '\x1b[A\r'],
  ]);
  expect(choice.name).toBe('debian');
  expect(terminals[0]?.events).toEqual(['shell', 'resume', 'close']);
});

it('chooseInMenu() ends a shell when another console chooses', () => {
  const { choice, terminals } = choose({}, [[1000, '\x1b']], [[1500, '\r']]);
  expect(choice.name).toBe('installer');
  expect(terminals[0]?.events).toEqual(['shell', 'stop', 'close']);
});

it('chooseInMenu() writes no more than a slow line carries, and shows the newest screen in the end', () => {
  const clock = { ms: 0 };
  const typed = Array.from({ length: 100 }, (_, index) => [2000 + index * 33, '\x1b[B\x1b[A'] as const);
  const terminal = fakeTerminal('ttyS0', clock, typed, 960);
  let last = '';
  const onTick = () => {
    expect(terminal.writtenBytes).toBeLessThanOrEqual(((clock.ms + 200) * 960) / 1000);
    last = terminal.screen.text();
  };
  chooseInMenu(openFakeHost(clock, [terminal, fakeTerminal('tty0', clock, [[9000, '\r']])]), {
    ...{ images, default: 'installer', timeoutMs: -1, shell: false, onTick },
  });
  expect(last).toContain('> The installer');
});

it('chooseInMenu() draws all anew for somebody who has connected late', () => {
  const seen = [1000, 60_000].map((atMs) => {
    const { terminals } = choose({ timeoutMs: -1 }, [
      [atMs, 'd'],
      [atMs + 500, '\r'],
    ]);
    return terminals[0]?.writtenBytes ?? 0;
  });
  // Ticks change nothing on the screen without a countdown: the difference is the whole screen.
  expect((seen[1] ?? 0) - (seen[0] ?? 0)).toBeGreaterThan(400);
});

it('screenConsoles() leaves out the console of bt.shell, and knows the character sets', () => {
  expect(screenConsoles(['tty0', 'ttyS0'], 'quiet')).toEqual([
    { name: 'tty0', charset: 'utf8' },
    { name: 'ttyS0', charset: 'ascii' },
  ]);
  expect(screenConsoles(['tty0', 'ttyS0'], 'bt.shell bt.charset=ascii')).toEqual([{ name: 'tty0', charset: 'ascii' }]);
});

const download: DownloadState = {
  ...{ doneBytes: 50e6, totalBytes: 100e6, bytesPerSecond: 10e6, peers: 3 },
  ...{ originBytes: 10e6, httpBytes: 0, stage: 'swarm' },
};

it('openProgress() takes the screen of the kernel, and the serial lines where somebody was', () => {
  const clock = { ms: 0 };
  const terminals = ['tty0', 'ttyS0', 'ttyS1'].map((name) => fakeTerminal(name, clock));
  const view = openProgress(openFakeHost(clock, terminals), { title: 'Debian', keyed: ['ttyS1'] });
  view.show(download);
  expect(terminals[0]?.screen.text()).toContain('50 %');
  expect(terminals[2]?.screen.text()).toContain('time left 5 s');
  expect(terminals[1]?.writtenBytes).toBe(0);
  view.close();
  expect(terminals.map(({ events }) => events)).toEqual([['close'], [], ['close']]);
});

it('openProgress() draws twice a second at most', () => {
  const clock = { ms: 0 };
  const terminal = fakeTerminal('tty0', clock);
  const view = openProgress(openFakeHost(clock, [terminal]), { title: 'Debian', keyed: [] });
  view.show(download);
  const { writtenBytes } = terminal;
  clock.ms = 400;
  view.show({ ...download, doneBytes: 60e6 });
  expect(terminal.writtenBytes).toBe(writtenBytes);
  clock.ms = 500;
  view.show({ ...download, doneBytes: 70e6 });
  expect(terminal.screen.text()).toContain('70 %');
});

it('openProgress() keeps up on a line of 9600 baud, although it is called twice a second only', () => {
  const clock = { ms: 0 };
  const terminal = fakeTerminal('ttyS0', clock, [], 960);
  const host = openFakeHost(clock, [terminal]);
  for (let count = 0; count < 10; count += 1) host.print(`a line of the log ${'.'.repeat(50)}`);
  const view = openProgress(host, { title: 'Debian', keyed: ['ttyS0'] });
  for (; clock.ms <= 5000; clock.ms += 500) view.show({ ...download, doneBytes: clock.ms * 10_000 });
  expect(terminal.screen.text()).toMatch(/ (49|50) %/);
});
