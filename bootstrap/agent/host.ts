/** What a program that ended left behind. */
export interface Outcome {
  /** Exit status; 127 when there is no such program; minus the signal that ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs beside the agent. */
export interface Child {
  readonly pid: number;
  /** The exit status once it has ended, else undefined. */
  poll(): number | undefined;
  /** Ends it (SIGTERM, after 3 s SIGKILL) and waits for that. */
  stop(): void;
  /** What it printed so far, standard output and error together. */
  output(): string;
}

/**
 * A console for a person: the screen with the keyboard (`tty0`) or a serial line (`ttyS0`). While it is open it is in raw
 * mode, and what the agent prints is held back on it.
 */
export interface Terminal {
  /** As the kernel names it. */
  readonly name: string;
  readonly columns: number;
  readonly rows: number;
  /** What the line carries. Absent: no limit. */
  readonly bytesPerSecond?: number;
  /** What was typed since the last call. Never waits. */
  read(): Uint8Array;
  /** Never waits: returns how many bytes were taken. */
  write(bytes: Uint8Array): number;
  /** A shell at this console, in its usual mode. When it has ended, {@link Terminal.resume}. */
  startShell(hint: string): Child;
  /** Raw mode again. */
  resume(): void;
  /** The usual mode again, and what was held back is printed. */
  close(): void;
}

/**
 * All that the agent touches of the machine. Everything blocks: a boot is a sequence, and what must run meanwhile is
 * a program of its own ({@link Host.start}).
 */
export interface Host {
  /** A folder for the agent's own small files. */
  readonly workPath: string;
  /** Undefined when there is no such file. */
  readText(path: string): string | undefined;
  /** Undefined when there is no such file. */
  readBytes(path: string): Uint8Array | undefined;
  /** @throws Fault `FILE_UNWRITABLE` */
  writeText(path: string, text: string): void;
  /** @throws Fault `FILE_UNWRITABLE` */
  writeBytes(path: string, bytes: Uint8Array): void;
  /** Undefined when there is no such file. */
  sizeBytes(path: string): number | undefined;
  /** Names in a folder, sorted; none when there is no such folder. */
  list(path: string): readonly string[];
  run(argv: readonly string[]): Outcome;
  start(argv: readonly string[]): Child;
  /** Since the kernel started. */
  uptimeMs(): number;
  /** Since 1970, as this machine believes. */
  clockMs(): number;
  sleep(milliseconds: number): void;
  /** On every console that is not open as a {@link Terminal}. */
  print(line: string): void;
  /** The last lines that were printed, also those that are held back. */
  printed(): readonly string[];
  /** Names of the machine's consoles; the last one is /dev/console. */
  consoles(): readonly string[];
  /** @throws TypeError for a name that is not in {@link Host.consoles}, or that is open */
  openTerminal(name: string): Terminal;
}
