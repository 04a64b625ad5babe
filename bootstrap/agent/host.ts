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
  print(line: string): void;
}
