/** The part of QuickJS's `std` and `os` modules that the agent uses (quickjs 2025-04-26, Debian 13). */
declare module 'std' {
  export interface File {
    puts(text: string): void;
    write(buffer: ArrayBuffer, position: number, length: number): number;
    read(buffer: ArrayBuffer, position: number, length: number): number;
    readAsString(): string;
    flush(): void;
    close(): number;
  }
  export const out: File;
  /** Null when the file cannot be opened. */
  export function open(path: string, flags: string): File | null;
  export function exit(status: number): never;
  export function getenv(name: string): string | undefined;
}

declare module 'os' {
  export interface ExecOptions {
    block?: boolean;
    usePath?: boolean;
    stdin?: number;
    stdout?: number;
    stderr?: number;
    env?: Record<string, string>;
  }
  export interface Stat {
    readonly size: number;
    readonly mode: number;
  }
  export const O_RDONLY: number;
  export const O_RDWR: number;
  export const O_WRONLY: number;
  export const O_CREAT: number;
  export const O_TRUNC: number;
  export const WNOHANG: number;
  export const SIGTERM: number;
  /** With `block`: the exit status, or minus the signal; else the process id. */
  export function exec(argv: string[], options: ExecOptions): number;
  export function waitpid(pid: number, options: number): [pid: number, status: number];
  export function kill(pid: number, signal: number): number;
  export function open(path: string, flags: number, mode?: number): number;
  export function close(fd: number): number;
  /** Bytes read, or minus the error number. */
  export function read(fd: number, buffer: ArrayBuffer, offset: number, length: number): number;
  /** Bytes written, or minus the error number. */
  export function write(fd: number, buffer: ArrayBuffer, offset: number, length: number): number;
  export function stat(path: string): [stat: Stat | null, error: number];
  export function readdir(path: string): [names: string[], error: number];
  export function mkdir(path: string, mode?: number): number;
  export function remove(path: string): number;
  export function sleep(milliseconds: number): void;
}
