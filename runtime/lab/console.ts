import { createWriteStream, type WriteStream } from 'node:fs';
import type { Readable, Writable } from 'node:stream';

/** How much of the end of a console is kept for looking for a text. */
const windowLength = 64 * 1024;

/** A node's serial console: written to a file, searched for texts as it comes, and typed on. */
export class Console {
  readonly path: string;
  readonly #file: WriteStream;
  readonly #input: Writable;
  #recent = '';
  /** An escape sequence of which the end has not come yet. */
  #unfinished = '';
  #listeners = new Set<() => void>();

  constructor(path: string, line: { readonly output: Readable; readonly input: Writable }) {
    this.path = path;
    this.#file = createWriteStream(path);
    this.#input = line.input;
    line.output.on('data', (chunk: Buffer) => this.#take(chunk));
    line.output.on('end', () => this.#file.end());
    // The machine may be gone while somebody types.
    line.input.on('error', () => {});
  }

  /** Types on the serial line. */
  type(text: string): void {
    this.#input.write(text);
  }

  /** Whether a text stood in what came since the last {@link forget}. Escape sequences are left out. */
  has(text: string): boolean {
    return this.#recent.includes(text);
  }

  /** Starts anew, at a reset of the machine. */
  forget(): void {
    this.#recent = '';
  }

  /** The last lines, for a person who wants to know why. */
  tail(lines: number): string {
    return this.#recent.split('\n').slice(-lines).join('\n');
  }

  /** Resolves when `text` has come; rejects when `signal` aborts. */
  async waitFor(text: string, signal: AbortSignal): Promise<void> {
    while (!this.has(text)) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const done = () => {
          this.#listeners.delete(done);
          signal.removeEventListener('abort', done);
          resolve();
        };
        this.#listeners.add(done);
        signal.addEventListener('abort', done);
      });
    }
  }

  #take(chunk: Buffer): void {
    this.#file.write(chunk);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's escape sequences begin with one
    const text = (this.#unfinished + chunk.toString('latin1')).replace(/\x1b\[[0-9;?=]*[A-Za-z]|\r/g, '');
    const escapeAt = text.lastIndexOf('\x1b', text.length);
    const end = escapeAt >= 0 && text.length - escapeAt < 16 ? escapeAt : text.length;
    this.#unfinished = text.slice(end);
    this.#recent = (this.#recent + text.slice(0, end)).slice(-windowLength);
    for (const listener of this.#listeners) listener();
  }
}
