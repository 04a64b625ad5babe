import type { Role } from '#bundle/manifest.ts';

/** Receives one line of a program's output, without its newline. For people; nothing depends on it. */
export type LogLine = (line: string) => void;

/** One file that a source gave, on its way into a bundle. */
export interface SourceFile {
  /** The file's name in the bundle. */
  readonly name: string;
  readonly role: Role;
  /** Where its bytes are: below the `workPath` that the source was called with, or a blob of the store. */
  readonly path: string;
}
