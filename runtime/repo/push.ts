import { parseRevision, type Revision } from '#bundle/digest.ts';

/** One ref of a push, as git tells its hooks (githooks(5), pre-receive). */
export interface PushedRef {
  readonly ref: string;
  /** Absent: the ref is new. */
  readonly before?: Revision;
  /** Absent: the ref is deleted. */
  readonly after?: Revision;
}

/** Reads `<old> <new> <ref>` lines; a name of zeros is none. */
export function parsePush(text: string): readonly PushedRef[] {
  return text.split('\n').flatMap((line) => {
    const [, before = '', after = '', ref = ''] = /^([0-9a-f]+) ([0-9a-f]+) (.+)$/.exec(line) ?? [];
    if (ref === '') return [];
    const names = {
      ...(!isNone(before) && { before: parseRevision(before) }),
      ...(!isNone(after) && { after: parseRevision(after) }),
    };
    return [{ ref, ...names }];
  });
}

/** What git passed with `git push -o` (githooks(5)). */
export function pushOptions(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  const count = Math.min(Number(environment.GIT_PUSH_OPTION_COUNT ?? 0), 100);
  return Array.from({ length: count }, (_, index) => environment[`GIT_PUSH_OPTION_${index}`] ?? '');
}

function isNone(name: string): boolean {
  return /^0+$/.test(name);
}
