// biome-ignore lint/style/useNodejsImportProtocol: QuickJS's own module, not Node's
import * as os from 'os';
import * as std from 'std';
import type { Child, Host, Outcome, Terminal } from './host.ts';
import { encodeUtf8 } from './utf8.ts';

export interface ConsoleOptions {
  readonly devices: readonly string[];
  run(argv: readonly string[]): Outcome;
  start(argv: readonly string[]): Child;
  /** The kernel's setting of which messages it prints on consoles. */
  readonly kernelLevel?: { read(): string; write(text: string): void };
}

export interface Consoles extends Pick<Host, 'print' | 'printed' | 'consoles' | 'openTerminal'> {}

interface Console {
  readonly name: string;
  readonly device: string;
  /** Absent: lines go to standard output, which is this console. */
  readonly line?: DeviceLine;
  /** Lines of the time since it was opened as a terminal. */
  held: string[] | undefined;
}

/** Numbers of Linux, which QuickJS does not name: opening must not wait for a carrier, nor writing for a slow line. */
const openFlags = { nonblocking: 0o4000, noControllingTerminal: 0o400 } as const;
/** EIO. */
const ioError = 5;
const keptLines = 500;

/** The consoles that the kernel writes on, as options for the host: the last one is /dev/console. */
export function findConsoles(): { readonly consoles: readonly string[]; readonly printkPath: string } {
  const file = std.open('/sys/class/tty/console/active', 'r');
  const names = (file?.readAsString() ?? '').split(/\s+/).filter((name) => name !== '');
  file?.close();
  return { consoles: names.map((name) => `/dev/${name}`), printkPath: '/proc/sys/kernel/printk' };
}

/** Prints on all consoles at once, and lends them out as terminals. */
export function openConsoles(options: ConsoleOptions): Consoles {
  const consoles = options.devices.map((device, index) => openConsole(device, index === options.devices.length - 1));
  const lines: string[] = [];
  let level: string | undefined;

  function print(line: string): void {
    lines.push(line);
    if (lines.length > keptLines) lines.shift();
    if (consoles.length === 0) printOn({}, line);
    for (const one of consoles) {
      if (one.held) one.held.push(line);
      else printOn(one, line);
    }
  }
  /** A message of the kernel in the middle of a screen would stay there. */
  function quietKernel(): void {
    const isLent = consoles.some(({ held }) => held !== undefined);
    if (isLent && level === undefined) {
      level = options.kernelLevel?.read() ?? '';
      options.kernelLevel?.write('1');
    }
    if (isLent || level === undefined) return;
    options.kernelLevel?.write(level);
    level = undefined;
  }
  function openTerminal(name: string): Terminal {
    const found = consoles.find((one) => one.name === name && one.held === undefined);
    if (!found) throw new TypeError(`there is no console ${name}, or it is open`);
    found.held = [];
    quietKernel();
    return lend(found, options, () => {
      for (const line of found.held ?? []) printOn(found, line);
      found.held = undefined;
      quietKernel();
    });
  }
  return { print, printed: () => lines, consoles: () => consoles.map(({ name }) => name), openTerminal };
}

function openConsole(device: string, isOutput: boolean): Console {
  const name = device.slice(device.lastIndexOf('/') + 1);
  return { name, device, held: undefined, ...(!isOutput && { line: openLine(device) }) };
}

function printOn({ line }: Pick<Console, 'line'>, text: string): void {
  if (line) {
    line.write(encodeUtf8(`${text}\n`));
    return;
  }
  std.out.puts(`${text}\n`);
  std.out.flush();
}

function lend({ name, device }: Console, { run, start }: ConsoleOptions, giveBack: () => void): Terminal {
  const stty = (...argv: string[]) => run(['stty', '-F', device, ...argv]).stdout.trim();
  const usual = stty('-g') || 'sane';
  const { columns, rows, baud } = parseSettings(stty('-a'));
  const line = openLine(device);
  const isScreen = /^tty[0-9]/.test(name);
  const raw = () => {
    stty('raw', '-echo');
  };
  raw();
  return {
    name,
    columns,
    rows,
    ...(!isScreen && baud > 0 && { bytesPerSecond: baud / 10 }),
    read: line.read,
    write: line.write,
    startShell: (hint) => {
      stty(usual);
      const script = `exec <${device} >${device} 2>&1; echo "$1"; TERM=vt100 PS1='(menu: exit) # ' exec sh -i`;
      // A session of its own: the console becomes its controlling terminal, so that Ctrl+C works.
      return start(['setsid', 'sh', '-c', script, 'sh', hint]);
    },
    resume: () => {
      line.reopen();
      raw();
    },
    close: () => {
      stty(usual);
      line.close();
      giveBack();
    },
  };
}

/** Of `stty -a`. A serial line knows no size: 80 × 24 then. */
function parseSettings(text: string): { readonly columns: number; readonly rows: number; readonly baud: number } {
  const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0);
  const [columns, rows] = [number(/columns ([0-9]{1,4})/), number(/rows ([0-9]{1,4})/)];
  const isKnown = columns > 0 && rows > 0;
  return { columns: isKnown ? columns : 80, rows: isKnown ? rows : 24, baud: number(/speed ([0-9]{1,8}) baud/) };
}

interface DeviceLine {
  read(): Uint8Array;
  write(bytes: Uint8Array): number;
  reopen(): void;
  close(): void;
}

/**
 * A console's device. When a shell that had it for its controlling terminal ends, the kernel hangs the device up: whoever has it
 * open reads and writes nothing any more, and must open it again.
 */
function openLine(device: string): DeviceLine {
  const buffer = new Uint8Array(256);
  let fd = open(device);
  function reopen(): void {
    os.close(fd);
    fd = open(device);
  }
  function write(bytes: Uint8Array): number {
    return os.write(fd, bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  }
  return {
    read: () => buffer.slice(0, Math.max(0, os.read(fd, buffer.buffer, 0, buffer.length))),
    write: (bytes) => {
      const written = write(bytes);
      if (written !== -ioError) return Math.max(0, written);
      reopen();
      return Math.max(0, write(bytes));
    },
    reopen,
    close: () => {
      os.close(fd);
    },
  };
}

function open(device: string): number {
  return os.open(device, os.O_RDWR | openFlags.nonblocking | openFlags.noControllingTerminal);
}
