import type { Line, Style } from './screen-lines.ts';

/** What a terminal is told before the first screen: no wrapping (the last column is used), no cursor, an empty screen. */
export const beginScreen = '\x1b[?7l\x1b[?25l\x1b[0m\x1b[2J';
/** And after the last one. */
export const endScreen = '\x1b[0m\x1b[?7h\x1b[?25h\x1b[2J\x1b[H';

const styles: Readonly<Record<Style, string>> = { plain: '', bold: '\x1b[1m', reverse: '\x1b[7m' };
/** Going on is cheaper than moving the cursor over fewer columns than this. */
const gap = 7;

/**
 * The shortest text that makes one screen of another; of an empty one when `before` is absent. VT100 only, so that it
 * also goes through a serial console over the network.
 */
export function drawScreen(before: readonly Line[] | undefined, after: readonly Line[]): string {
  return after.map((now, row) => drawLine(before?.[row] ?? emptyLine(now), now, row)).join('');
}

function emptyLine({ text }: Line): Line {
  return { text: ' '.repeat(text.length), style: 'plain' };
}

function drawLine(before: Line, now: Line, row: number): string {
  if (before.style === now.style && before.text === now.text) return '';
  const isSame = before.style === now.style && before.text.length === now.text.length;
  const parts = isSame ? changes(before.text, now.text) : [{ from: 0, to: now.text.length }];
  return parts.map((part) => drawPart(now, row, part)).join('');
}

interface Part {
  readonly from: number;
  readonly to: number;
}

/** Blanks up to the end of a row are one command. */
function drawPart({ text, style }: Line, row: number, { from, to }: Part): string {
  const isTail = style !== 'reverse' && text.slice(to).trim() === '';
  const written = isTail ? text.slice(from, to).trimEnd() : text.slice(from, to);
  const rest = written.length < to - from ? '\x1b[K' : '';
  const [on, off] = written === '' || style === 'plain' ? ['', ''] : [styles[style], '\x1b[0m'];
  return `\x1b[${row + 1};${from + 1}H${on}${written}${off}${rest}`;
}

/** Where two texts of one length differ; places close together are one. */
function changes(before: string, now: string): readonly Part[] {
  const parts: { from: number; to: number }[] = [];
  for (let at = 0; at < now.length; at += 1) {
    if (before[at] === now[at]) continue;
    const last = parts.at(-1);
    if (last && at - last.to <= gap) last.to = at + 1;
    else parts.push({ from: at, to: at + 1 });
  }
  return parts;
}
