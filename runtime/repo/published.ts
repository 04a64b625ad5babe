import type { Revision } from '#bundle/digest.ts';
import type { Status } from '../dashboard/view.ts';

/** What became of a pushed commit so far, as somebody who waits at a terminal is told. */
export interface PushView {
  /** What is new since the last look. */
  readonly lines: readonly string[];
  /** Absent: it goes on. */
  readonly end?: 'served' | 'refused' | 'held' | 'overtaken';
  /** Of the last look, to tell what is new. */
  readonly last: string;
}

export interface PushLook {
  readonly revision: Revision;
  /** As it was before the push. */
  readonly before: Status;
  readonly now: Status;
  readonly last: string;
  /** The runtime has not said anything about this commit for so long. */
  readonly silentMs: number;
}

/** A poll takes a moment; a commit that another one overtook is never heard of. */
const patienceMs = 20_000;

/** One look at the status of the runtime while a pushed commit is on its way. */
export function viewPush({ revision, before, now, last, silentMs }: PushLook): PushView {
  const { refused, building } = now;
  if (now.revision === revision) return { lines: [servedLine(now), ...menuLines(before, now)], end: 'served', last };
  if (refused?.revision === revision && refused.kind === 'stalled') {
    return { lines: ['refused; what was served goes on', ...faultLines(now)], end: 'refused', last };
  }
  if (now.suspendedSince !== undefined) {
    return {
      lines: [`publishing is held since ${now.suspendedSince}: "boottorrent resume" ends that`],
      end: 'held',
      last,
    };
  }
  const line = refused?.revision === revision ? retryLine(now) : progressLine(revision, building);
  if (line === undefined && silentMs > patienceMs) {
    const at = now.revision?.slice(0, 12) ?? 'nothing';
    return {
      lines: [`the runtime serves ${at} and does not tell of this commit: another came, or it follows another branch`],
      end: 'overtaken',
      last,
    };
  }
  return line === undefined || line === last ? { lines: [], last } : { lines: [line], last: line };
}

/** Whether the runtime says anything about a commit. */
export function isKnown(revision: Revision, { building, refused }: Status): boolean {
  return building?.revision === revision || refused?.revision === revision;
}

function progressLine(revision: Revision, building: Status['building']): string | undefined {
  if (building?.revision !== revision) return undefined;
  const { done, total, name } = building;
  if (total === 0) return `reading ${name}`;
  return done === total ? 'verifying and seeding' : `building ${done + 1} of ${total}: ${name}`;
}

function retryLine({ refused, faults }: Status): string {
  const [{ message = 'it failed', code = '' } = {}] = faults;
  if (refused?.kind === 'waiting') return message;
  return `failed, and is tried again by itself: ${message} [${code}]`;
}

function servedLine({ revision, serial }: Status): string {
  return `serving ${revision?.slice(0, 12)}, catalog ${serial}`;
}

function menuLines(before: Status, now: Status): readonly string[] {
  const versions = ({ images }: Status) => new Map(images.map((image) => [`${image.name}/${image.arch}`, image]));
  const [old, next] = [versions(before), versions(now)];
  const changed = [...next].flatMap(([key, image]) => {
    const was = old.get(key);
    if (was?.version === image.version) return [];
    return [`  ${was ? 'changed' : 'new'}  ${image.name}@${image.version}  ${image.title}`];
  });
  const gone = [...old].filter(([key]) => !next.has(key)).map(([, image]) => `  gone  ${image.name}@${image.version}`);
  return changed.length + gone.length === 0 ? ['  no image changed'] : [...changed, ...gone];
}

function faultLines({ faults }: Status): readonly string[] {
  return faults.flatMap(({ code, message, hint, file, line, column }) => {
    const place = file === undefined ? '' : `${file}:${line}:${column}: `;
    return [`${place}${message} [${code}]`, ...(hint === undefined ? [] : [`  ${hint}`])];
  });
}
