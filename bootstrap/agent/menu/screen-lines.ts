import { type Charset, fitWidth } from './text.ts';

export type Style = 'plain' | 'bold' | 'reverse';

/** One row of a screen: as many characters as it has columns, each one column wide. */
export interface Line {
  readonly text: string;
  readonly style: Style;
}

/** What a screen can show. */
export interface Canvas {
  readonly columns: number;
  readonly rows: number;
  readonly charset: Charset;
}

/** Signs of our own; those of UTF-8 are in the font of the kernel's console. */
export const signs = {
  utf8: { rule: '\u2500', pointer: '\u25ba', full: '\u2588', empty: '\u2591' },
  ascii: { rule: '-', pointer: '>', full: '#', empty: '.' },
} as const;

export function line(text: string, style: Style = 'plain'): Line {
  return { text, style };
}

export function rule({ columns, charset }: Canvas): Line {
  return line(signs[charset].rule.repeat(columns));
}

/** How many lines are left between a title and a footer. A small screen keeps the title and gives up the rest of the footer first. */
export function bodyRows({ rows }: Canvas, footer: readonly Line[]): number {
  return Math.max(0, rows - 1 - footerRows(rows, footer));
}

/** Exactly the rows and columns of the canvas: a title in reverse, the body, and the footer at the bottom. */
export function compose(
  canvas: Canvas,
  { title, body, footer }: { readonly title: string; readonly body: readonly Line[]; readonly footer: readonly Line[] },
): readonly Line[] {
  const { rows, columns } = canvas;
  const shown = footer.slice(footer.length - footerRows(rows, footer));
  const middle = Array.from({ length: bodyRows(canvas, footer) }, (_, index) => body[index] ?? line(''));
  return [line(` ${title}`, 'reverse'), ...middle, ...shown]
    .slice(0, rows)
    .map(({ text, style }) => ({ text: fitWidth(text, columns), style }));
}

/** At most half of the screen. */
function footerRows(rows: number, footer: readonly Line[]): number {
  return Math.min(footer.length, Math.floor(rows / 2));
}

/** Two texts at the two ends of a row. */
export function spread(left: string, right: string, width: number): string {
  const room = width - right.length - 1;
  return room < left.length ? left : `${fitWidth(left, room)} ${right}`;
}
