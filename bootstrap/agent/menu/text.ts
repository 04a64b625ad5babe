/** How a terminal takes characters. */
export type Charset = 'utf8' | 'ascii';

/**
 * Latin, Greek and Cyrillic letters and signs: one column each on every terminal and in the font of the kernel's console.
 * Not the soft hyphen, not combining marks.
 */
const narrow =
  /[\x20-\x7e\u00a1-\u00ac\u00ae-\u02af\u0370-\u0373\u0376\u0377\u037b-\u037e\u0384-\u038a\u038c\u038e-\u03a1\u03a3-\u0482\u048a-\u052f\u2013\u2014\u2018-\u201e\u2022\u2026\u20ac]/;
const plain = /[\x20-\x7e]/;
const marks = /[\u0300-\u036f]/g;
const asciiForms: Readonly<Record<string, string>> = {
  '\u2013': '-',
  '\u2014': '-',
  '\u2018': "'",
  '\u2019': "'",
  '\u201c': '"',
  '\u201d': '"',
  '\u201e': '"',
  '\u2026': '...',
  ß: 'ss',
  ä: 'ae',
  ö: 'oe',
  ü: 'ue',
  Ä: 'Ae',
  Ö: 'Oe',
  Ü: 'Ue',
};

/**
 * A text that changes nothing on a terminal but the columns it stands in, one for each UTF-16 unit: titles come from
 * people, and log lines from the network. What has no place becomes a question mark.
 */
export function cleanText(text: string, charset: Charset): string {
  const composed = text.normalize('NFC').replace(/\s/g, ' ');
  return Array.from(composed, (character) => {
    if (charset === 'utf8') return character.length === 1 && narrow.test(character) ? character : '?';
    return plain.test(character) ? character : (asciiForms[character] ?? withoutMarks(character));
  }).join('');
}

/** `é` is `e`, `Ω` a question mark. */
function withoutMarks(character: string): string {
  const base = character.normalize('NFKD').replace(marks, '');
  return base.length > 0 && Array.from(base).every((one) => plain.test(one)) ? base : '?';
}

/** Exactly `width` columns of a clean text: cut (the kernel's font has no ellipsis), or filled with spaces. */
export function fitWidth(text: string, width: number): string {
  if (text.length <= width) return text.padEnd(width);
  return width <= 2 ? text.slice(0, Math.max(0, width)) : `${text.slice(0, width - 2)}..`;
}

/** A clean text in lines of at most `width` columns, broken at spaces where there are some. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
    for (; line.length > width; line = line.slice(width)) lines.push(line.slice(0, width));
  }
  return line === '' ? lines : [...lines, line];
}

/** `62 MB`, `1.4 GB`; a small one has a decimal. */
export function formatBytes(bytes: number): string {
  if (bytes >= 999.5e6) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes > 0 && bytes < 9.95e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.round(bytes / 1e6)} MB`;
}

/** `8 s`, `2:05`, `1:02:05`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (number: number) => String(number).padStart(2, '0');
  if (whole < 60) return `${whole} s`;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
