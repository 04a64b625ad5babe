/** Dice from 0 to less than 1; the same seed throws the same. Mulberry32, public domain, by Tommy Ettinger. */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Throw = () => number;

/** One to four places of the bytes changed: flipped, cut, doubled, or filled with what parsers stumble over. */
export function mutateBytes(bytes: Uint8Array, random: Throw): Uint8Array {
  let result = Buffer.from(bytes);
  for (let count = 1 + pick(random, 4); count > 0; count--) result = mutateOnce(result, random);
  return result;
}

/** The same for text, one character a byte. */
export function mutateText(text: string, random: Throw): string {
  return Buffer.from(mutateBytes(Buffer.from(text, 'latin1'), random)).toString('latin1');
}

/** JSON text: half of the time its bytes are mutated, else one value in it is replaced by one of another kind. */
export function mutateJson(text: string, random: Throw): string {
  if (random() < 0.5) return mutateText(text, random);
  const root: unknown = JSON.parse(text);
  const places = placesIn(root);
  const place = places[pick(random, places.length)];
  if (!place) return text;
  const [holder, key] = place;
  if (random() < 0.2) delete holder[key];
  else holder[key] = strange[pick(random, strange.length)];
  return JSON.stringify(root);
}

/** What a JSON value may be that nobody has thought of. */
const strange: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 1e308, 2 ** 53, -(2 ** 31), '', 'x', '../..', '\u0000', 'a'.repeat(5000)],
  ...['\ud800', '__proto__', '-1', '1e9', [], {}, [[]], [null], { length: -1 }, { toString: 1 }, Array(300).fill('y')],
];

const nasty = [0, 1, 9, 10, 13, 32, 34, 39, 44, 45, 47, 48, 58, 91, 92, 93, 100, 101, 105, 108, 123, 125, 127, 128, 255];

function mutateOnce(bytes: Buffer<ArrayBuffer>, random: Throw): Buffer<ArrayBuffer> {
  const at = pick(random, bytes.length + 1);
  const length = 1 + pick(random, 12);
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (pick(random, 6)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (length % 8));
      return bytes;
    case 1:
      return head;
    case 2:
      return Buffer.concat([head, bytes.subarray(at + length)]);
    case 3:
      return Buffer.concat([head, tail.subarray(0, length), tail]);
    case 4:
      return Buffer.concat([head, Buffer.of(nasty[pick(random, nasty.length)] ?? 0), tail]);
    default:
      return Buffer.concat([head, Buffer.from(Array.from({ length }, () => pick(random, 256))), tail.subarray(length)]);
  }
}

type Holder = Record<string | number, unknown>;

function placesIn(value: unknown): readonly (readonly [Holder, string | number])[] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Holder;
  return Object.keys(holder).flatMap((key) => [[holder, key] as const, ...placesIn(holder[key])]);
}

function pick(random: Throw, count: number): number {
  return Math.floor(random() * count);
}
