import { logLimit } from '#bundle/boot-report.ts';
import type { Child, Host } from '../host.ts';

/** A program that has the console, and the end of what it prints. */
export interface ConsoleProgram {
  /** The exit status once it has ended (minus the signal), else undefined. */
  poll(): number | undefined;
  stop(): void;
  /** The last {@link logLimit} bytes of what it printed: there when it has ended. */
  output(): string;
}

/** How long what is left in the pipes may take; a process that the program left behind may hold them for ever. */
const drainMs = 1000;
const stopMs = 3000;

/**
 * Runs a program in a session of its own, and ends as it has ended. When the first process of a session ends, the kernel
 * hangs its terminal up, and what is still to be written there is lost: this one stays until everything was shown, at
 * most a second, since a process that the program left behind may hold its output for ever. `stty` is here for waiting
 * until a serial line has sent what it was given.
 */
const sessionScript = `
device=$0 shown=$1 kept=$2; shift 2
trap : INT QUIT TERM
tee "$kept" <"$shown" >"$device" & tee=$!
"$@" <"$device" >"$shown" 2>&1
status=$?
{ sleep 1; kill "$tee"; } 2>/dev/null &
wait "$tee"
stty -F "$device" opost 2>/dev/null
trap - INT QUIT TERM
[ "$status" -gt 128 ] && kill -"$((status - 128))" $$
exit "$status"
`;

/** Starts a program whose output is shown and kept. Its input is the console. */
export function startProgram(host: Host, argv: readonly string[]): ConsoleProgram {
  const device = consoleDevice(host);
  const ending = openEnding(host);
  const shown = makePipe(host, 'shown');
  const leader = host.start(['setsid', 'sh', '-c', sessionScript, device, shown, ending.pipe, ...argv]);
  const whole = { ...leader, stop: () => stopSession(host, leader) };
  return withEnding(host, whole, [ending.child], ending.text);
}

/** Ends all processes of a session that did not leave it. */
function stopSession(host: Host, leader: Child): void {
  const endMs = host.uptimeMs() + stopMs;
  const kill = (signal: string) => host.run(['sh', '-c', `kill -${signal} -${leader.pid}`]);
  kill('TERM');
  while (leader.poll() === undefined && host.uptimeMs() < endMs) host.sleep(50);
  if (leader.poll() === undefined) kill('KILL');
  leader.stop();
}

/**
 * Starts a program that reads and writes the console itself, as a terminal.
 * @param argv makes the program's arguments from the path of a pipe: what it writes there is kept, with its errors
 */
export function startTerminal(host: Host, argv: (pipe: string) => readonly string[]): ConsoleProgram {
  const device = consoleDevice(host);
  const ending = openEnding(host);
  const script = 'console=$0 pipe=$1; shift; exec "$@" <"$console" >"$console" 2>"$pipe"';
  const program = host.start(['setsid', 'sh', '-c', script, device, ending.pipe, ...argv(ending.pipe)]);
  return withEnding(host, program, [ending.child], ending.text, () => host.run(['stty', '-F', device, 'sane']));
}

function withEnding(
  host: Host,
  program: Child,
  readers: readonly Child[],
  text: () => string,
  afterwards: () => void = () => {},
): ConsoleProgram {
  let isDrained = false;
  function drain(): void {
    if (isDrained || program.poll() === undefined) return;
    isDrained = true;
    const endMs = host.uptimeMs() + drainMs;
    const isOpen = () => readers.some((reader) => reader.poll() === undefined);
    while (isOpen() && host.uptimeMs() < endMs) host.sleep(20);
    for (const reader of readers) reader.stop();
    afterwards();
  }
  return {
    poll: () => {
      drain();
      return program.poll();
    },
    stop: () => {
      program.stop();
      drain();
    },
    output: text,
  };
}

/** Keeps the end of what comes through a pipe, however much it is. */
function openEnding(host: Host): { readonly pipe: string; readonly child: Child; text(): string } {
  const pipe = makePipe(host, 'kept');
  const path = `${host.workPath}/last-output`;
  host.writeText(path, '');
  const child = host.start(['sh', '-c', `exec tail -c ${logLimit} <"$0" >"$1"`, pipe, path]);
  return { pipe, child, text: () => printable(host.readText(path) ?? '') };
}

function makePipe(host: Host, name: string): string {
  const path = `${host.workPath}/${name}`;
  host.run(['rm', '-f', path]);
  host.run(['mkfifo', path]);
  return path;
}

/** The console's own terminal: /dev/console cannot be a program's controlling terminal, and Ctrl+C would do nothing. */
function consoleDevice(host: Host): string {
  return `/dev/${host.consoles().at(-1) ?? 'console'}`;
}

/** Bytes of any program: without escape sequences, and short enough for a report. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's escape sequences begin with one
  const plain = text.replace(/\x1b\[[0-9;?=]*[A-Za-z]/g, '').replace(/\r/g, '');
  return plain.replace(/[^\x20-\x7e\n\t]/g, '?').slice(-logLimit);
}
