// biome-ignore lint/style/useNodejsImportProtocol: QuickJS's own module, not Node's
import * as os from 'os';
import * as std from 'std';
import { Fault } from '#bundle/fault.ts';
import { openConsoles } from './consoles.ts';
import type { Child, Host, Outcome } from './host.ts';

const killAfterMs = 3000;
const sigkill = 9;

export interface HostOptions {
  /** A folder that exists. */
  readonly workPath: string;
  /** Paths of the machine's consoles, named by their last part; the last one is where standard output goes. Default: standard output alone. */
  readonly consoles?: readonly string[];
  /** Where the kernel is told which messages it prints on consoles: hardly any while one is open as a terminal. */
  readonly printkPath?: string;
}

/** The machine as QuickJS shows it. */
export function openHost(options: HostOptions): Host {
  const { workPath } = options;
  const environment = { PATH: '/bin:/sbin:/usr/bin:/usr/sbin', HOME: '/' };
  let count = 0;

  function spawn(argv: readonly string[], options: { block: boolean; stdout: string; stderr: string }): number {
    const create = os.O_WRONLY | os.O_CREAT | os.O_TRUNC;
    const stdin = os.open('/dev/null', os.O_RDONLY);
    const stdout = os.open(options.stdout, create, 0o600);
    const stderr = options.stderr === options.stdout ? stdout : os.open(options.stderr, create, 0o600);
    const result = os.exec([...argv], {
      block: options.block,
      usePath: true,
      env: environment,
      ...{ stdin, stdout, stderr },
    });
    for (const fd of new Set([stdin, stdout, stderr])) os.close(fd);
    return result;
  }

  function run(argv: readonly string[]): Outcome {
    const paths = { stdout: `${workPath}/stdout`, stderr: `${workPath}/stderr` };
    const status = spawn(argv, { block: true, ...paths });
    return { status, stdout: readText(paths.stdout) ?? '', stderr: readText(paths.stderr) ?? '' };
  }

  function start(argv: readonly string[]): Child {
    count += 1;
    const output = `${workPath}/child-${count}.log`;
    const pid = spawn(argv, { block: false, stdout: output, stderr: output });
    return openChild(pid, output);
  }

  const printk = options.printkPath;
  const consoles = openConsoles({
    devices: options.consoles ?? [],
    ...{ run, start },
    ...(printk !== undefined && {
      kernelLevel: { read: () => readText(printk) ?? '', write: (text) => writeText(printk, text) },
    }),
  });

  return {
    workPath,
    readText,
    readBytes,
    writeText,
    writeBytes,
    sizeBytes: (path) => os.stat(path)[0]?.size,
    list: (path) =>
      os
        .readdir(path)[0]
        .filter((name) => name !== '.' && name !== '..')
        .sort(),
    run,
    start,
    uptimeMs: () => Math.round(Number.parseFloat(readText('/proc/uptime') ?? '0') * 1000),
    clockMs: () => Date.now(),
    sleep: (milliseconds) => os.sleep(milliseconds),
    print: consoles.print,
    printed: consoles.printed,
    consoles: consoles.consoles,
    openTerminal: consoles.openTerminal,
  };
}

function openChild(pid: number, outputPath: string): Child {
  let ended: number | undefined;
  function poll(): number | undefined {
    if (ended !== undefined) return ended;
    const [found, status] = os.waitpid(pid, os.WNOHANG);
    // WEXITSTATUS is the second byte of what wait(2) gives, the signal the first.
    if (found !== 0) ended = (status & 0x7f) === 0 ? (status >> 8) & 0xff : -(status & 0x7f);
    return ended;
  }
  function stop(): void {
    for (let waitedMs = 0; poll() === undefined; waitedMs += 20) {
      if (waitedMs === 0) os.kill(pid, os.SIGTERM);
      if (waitedMs === killAfterMs) os.kill(pid, sigkill);
      os.sleep(20);
    }
  }
  return { pid, poll, stop, output: () => readText(outputPath) ?? '' };
}

function readText(path: string): string | undefined {
  // std.loadFile gives '' for files of /proc, whose size is 0.
  const file = std.open(path, 'r');
  if (!file) return undefined;
  const text = file.readAsString();
  file.close();
  return text;
}

function readBytes(path: string): Uint8Array | undefined {
  const size = os.stat(path)[0]?.size;
  const file = size === undefined ? null : std.open(path, 'r');
  if (!file || size === undefined) return undefined;
  const bytes = new Uint8Array(size);
  const count = file.read(bytes.buffer, 0, size);
  file.close();
  return bytes.subarray(0, count);
}

function writeText(path: string, text: string): void {
  const file = openForWriting(path);
  file.puts(text);
  close(file, path);
}

function writeBytes(path: string, bytes: Uint8Array): void {
  const file = openForWriting(path);
  file.write(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  close(file, path);
}

function openForWriting(path: string): std.File {
  const file = std.open(path, 'w');
  if (!file) throw new Fault('FILE_UNWRITABLE', `Cannot write ${path}: it cannot be opened`);
  return file;
}

/** A full tmpfs shows at the latest here, since stdio buffers. */
function close(file: std.File, path: string): void {
  if (file.close() !== 0) throw new Fault('FILE_UNWRITABLE', `Cannot write ${path}: no space left`);
}
