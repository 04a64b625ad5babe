import { Fault } from '#bundle/fault.ts';
import { findSecretKeys } from '#bundle/signature.ts';
import type { DefinitionFiles } from '../files.ts';

/** Files in memory; `null` stands for a symbolic link. */
export function memoryFiles(files: Readonly<Record<string, string | null | undefined>>): DefinitionFiles {
  const present = Object.entries(files).filter(([, text]) => text !== undefined);
  return {
    list: async (prefix) =>
      present
        .filter(([path]) => path.startsWith(prefix))
        .map(
          ([path, text]) => ({ path, kind: text === null ? 'other' : 'file', sizeBytes: text?.length ?? 0 }) as const,
        ),
    async read(path) {
      const text = files[path];
      if (typeof text !== 'string') throw new Fault('FILE_MISSING', `Cannot read ${path}: there is no such file`);
      return Buffer.from(text);
    },
    contentId: async () => 'sha1:0',
    findSecretKeys: async () =>
      present.flatMap(([file, text]) => findSecretKeys(text ?? '').map((line) => ({ file, line }))),
    close: async () => undefined,
  };
}
