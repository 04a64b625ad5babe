const named = [
  'up',
  'down',
  'page-up',
  'page-down',
  'home',
  'end',
  'enter',
  'escape',
  'backspace',
  'clear',
  'tab',
  'back-tab',
  'redraw',
] as const;
/** What a person pressed. */
export type Key = { readonly kind: (typeof named)[number] } | { readonly kind: 'char'; readonly char: string };
type Name = (typeof named)[number];

/** What has come of a key that is not whole yet. */
export interface KeyState {
  readonly pending: readonly number[];
  /** When the last byte came. */
  readonly atMs: number;
  /** The last byte was a carriage return: a line feed that follows belongs to it. */
  readonly wasReturn: boolean;
}

export const noKeys: KeyState = { pending: [], atMs: 0, wasReturn: false };

/** An Escape that nothing follows for this long is the key itself; a serial line over a network tears sequences apart. */
export const escapeMs = 300;
/** No key of any terminal is longer. */
const longestSequence = 16;
const escapeByte = 0x1b;

const controls: ReadonlyMap<number, Name> = new Map<number, Name>([
  [0x08, 'backspace'],
  [0x09, 'tab'],
  [0x0a, 'enter'],
  [0x0c, 'redraw'],
  [0x0d, 'enter'],
  [0x0e, 'down'],
  [0x10, 'up'],
  [0x15, 'clear'],
  [0x7f, 'backspace'],
]);

/** By the last character of `ESC [ …` and `ESC O …`; terminals send the one or the other form for the same key. */
const finals: Readonly<Record<string, Name>> = {
  A: 'up',
  B: 'down',
  C: 'tab',
  D: 'back-tab',
  F: 'end',
  H: 'home',
  M: 'enter',
  Z: 'back-tab',
};

/** By the number of `ESC [ <number> ~`. */
const numbered: Readonly<Record<string, Name>> = {
  1: 'home',
  3: 'backspace',
  4: 'end',
  5: 'page-up',
  6: 'page-down',
  7: 'home',
  8: 'end',
};

/**
 * The keys in what a terminal sent. Bytes that belong to no key (NUL, broken UTF-8: noise of an open serial line) give
 * none, so that they stop no countdown.
 */
export function decodeKeys(
  state: KeyState,
  bytes: Uint8Array,
  nowMs: number,
): { readonly state: KeyState; readonly keys: readonly Key[] } {
  const keys: Key[] = [];
  let { pending, wasReturn, atMs } = state;
  for (const byte of bytes) {
    if (byte === 0x0a && wasReturn) {
      wasReturn = false;
      continue;
    }
    wasReturn = byte === 0x0d;
    const next = take([...pending, byte]);
    pending = next.pending;
    keys.push(...next.keys);
    atMs = nowMs;
  }
  if (pending.length > 0 && nowMs - atMs >= escapeMs) {
    if (pending.length === 1 && pending[0] === escapeByte) keys.push({ kind: 'escape' });
    pending = [];
  }
  return { state: { pending, atMs, wasReturn }, keys };
}

interface Taken {
  readonly pending: readonly number[];
  readonly keys: readonly Key[];
}

function take(bytes: readonly number[]): Taken {
  const [first = 0] = bytes;
  if (bytes.length > longestSequence) return nothing;
  if (first === escapeByte) return takeSequence(bytes);
  const name = controls.get(first);
  if (name) return { pending: [], keys: [{ kind: name }] };
  if (first < 0x20) return nothing;
  return first < 0x80 ? char(String.fromCharCode(first)) : takeUtf8(bytes);
}

const nothing: Taken = { pending: [], keys: [] };

function char(text: string): Taken {
  return { pending: [], keys: [{ kind: 'char', char: text }] };
}

function takeSequence(bytes: readonly number[]): Taken {
  const last = bytes.at(-1) ?? 0;
  if (bytes.length === 1) return { pending: bytes, keys: [] };
  // Escape twice, or Escape in the middle of something: the one before stands alone.
  if (last === escapeByte) return { pending: [escapeByte], keys: bytes.length === 2 ? [{ kind: 'escape' }] : [] };
  const text = String.fromCharCode(...bytes.slice(1));
  if (/^(O|\[\[?|\[[0-?]*[ -/]*)$/.test(text)) return { pending: bytes, keys: [] };
  // No sequence begins like this: Escape, and soon after it another key.
  if (bytes.length === 2) {
    const next = take([last]);
    return { pending: next.pending, keys: [{ kind: 'escape' }, ...next.keys] };
  }
  const name = sequenceName(text);
  return { pending: [], keys: name ? [{ kind: name }] : [] };
}

function sequenceName(text: string): Name | undefined {
  const number = /^\[([0-9]+)(?:;[0-9]+)?~$/.exec(text)?.[1];
  if (number !== undefined) return Object.hasOwn(numbered, number) ? numbered[number] : undefined;
  const final = /^(?:O|\[[0-9;]*)([A-Za-z])$/.exec(text)?.[1];
  return final !== undefined && Object.hasOwn(finals, final) ? finals[final] : undefined;
}

function takeUtf8(bytes: readonly number[]): Taken {
  const [first = 0, ...tails] = bytes;
  const length = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : 0;
  const last = bytes.at(-1) ?? 0;
  if (length === 0) return nothing;
  // What is no continuation begins anew.
  if (tails.length > 0 && (last & 0xc0) !== 0x80) return take([last]);
  if (bytes.length < length) return { pending: bytes, keys: [] };
  const code = tails.reduce((sum, byte) => (sum << 6) | (byte & 0x3f), first & (length === 2 ? 0x1f : 0x0f));
  const isCharacter = code >= (length === 2 ? 0xa0 : 0x800) && (code < 0xd800 || code > 0xdfff);
  return isCharacter ? char(String.fromCharCode(code)) : nothing;
}
