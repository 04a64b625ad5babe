import type { Method } from '#bundle/start.ts';
import type { MenuEntry } from './entries.ts';
import { found, type MenuState, selectedEntry } from './model.ts';
import { bodyRows, type Canvas, compose, type Line, line, rule, signs, spread } from './screen-lines.ts';
import { type Charset, cleanText, fitWidth, formatBytes, formatSeconds, wrap } from './text.ts';

/** What the menu shows besides its own state. */
export interface MenuSurroundings {
  /** RAM that is free now. */
  readonly freeBytes: number;
  /** What the agent has said, newest last. */
  readonly log: readonly string[];
}

const methodTexts: Readonly<Record<Method, string>> = {
  kexec: 'kexec: its own kernel starts',
  'switch-root': "switch-root: its system runs on this kernel, from this node's memory",
  qemu: 'qemu: a virtual machine on this node',
  exec: 'exec: one program on this kernel',
  chain: 'chain: another network boot program, after a reboot',
  local: 'local: the disk of this node, after a reboot',
};

/** The menu as exactly the rows and columns of a screen. */
export function renderMenu(state: MenuState, around: MenuSurroundings, canvas: Canvas): readonly Line[] {
  const footer = footerOf(state, around, canvas);
  const rows = bodyRows(canvas, footer);
  const left = 'BootTorrent';
  const title = spread(left, `${formatBytes(around.freeBytes)} of memory free `, canvas.columns - 1);
  return compose(canvas, { title, body: bodyOf(state, around, { ...canvas, rows }), footer });
}

function bodyOf(state: MenuState, around: MenuSurroundings, canvas: Canvas): readonly Line[] {
  switch (state.view) {
    case 'list':
      return listOf(state, around, canvas);
    case 'details':
      return detailsOf(state, around, canvas);
    case 'log':
      return logOf(around.log, canvas, state.scroll);
    default:
      return state.view satisfies never;
  }
}

/** Pages instead of scrolling: moving the selection changes two rows, which a slow line carries at once. */
function listOf(state: MenuState, { freeBytes }: MenuSurroundings, canvas: Canvas): readonly Line[] {
  const left = found(state);
  if (left.length === 0) return [line(''), line('  Nothing is found')];
  const perPage = Math.max(1, canvas.rows - 1);
  const at = Math.max(0, left.indexOf(state.selected));
  const first = at - (at % perPage);
  const more = left.length > perPage ? ` ${first + 1}-${Math.min(first + perPage, left.length)} of ${left.length}` : '';
  const head = columnsOf([`  Image${more}`, 'Download', 'Memory'], '', canvas.columns);
  const rows = left.slice(first, first + perPage).flatMap((index) => {
    const entry = state.entries[index];
    return entry ? [rowOf(entry, { state, freeBytes, canvas, isSelected: index === state.selected })] : [];
  });
  return [line(head), ...rows];
}

interface RowOptions {
  readonly state: MenuState;
  readonly freeBytes: number;
  readonly canvas: Canvas;
  readonly isSelected: boolean;
}

function rowOf(entry: MenuEntry, { state, freeBytes, canvas, isSelected }: RowOptions): Line {
  const { charset, columns } = canvas;
  const pointer = isSelected ? signs[charset].pointer : ' ';
  const remark = isTooBig(entry, freeBytes) ? 'too little' : entry.name === state.default ? 'default' : '';
  const cells = [
    `${pointer} ${cleanText(entry.title, charset)}`,
    amount(entry.downloadBytes),
    amount(entry.memoryBytes),
  ] as const;
  return line(columnsOf(cells, remark, columns), isSelected ? 'reverse' : 'plain');
}

/** A narrow screen shows names alone. */
function columnsOf(cells: readonly [string, string, string], remark: string, columns: number): string {
  const right = `${cells[1].padStart(9)} ${cells[2].padStart(9)}  ${remark.padEnd(10)} `;
  return columns < right.length + 20 ? cells[0] : fitWidth(cells[0], columns - right.length) + right;
}

function amount(bytes: number): string {
  return bytes === 0 ? '-' : formatBytes(bytes);
}

function isTooBig(entry: MenuEntry, freeBytes: number): boolean {
  return entry.memoryBytes > freeBytes;
}

function detailsOf(state: MenuState, { freeBytes }: MenuSurroundings, { columns, charset }: Canvas): readonly Line[] {
  const entry = selectedEntry(state);
  if (!entry) return [line(''), line('  Nothing is found')];
  const rows: readonly (readonly [string, string])[] = [
    ['Name', entry.name],
    ['Version', entry.version],
    ['Method', methodTexts[entry.method]],
    ['Download', amount(entry.downloadBytes)],
    [
      'Memory',
      entry.memoryBytes === 0 ? '-' : `needs ${formatBytes(entry.memoryBytes)}, ${memoryText(entry, freeBytes)}`,
    ],
    ...(entry.name === state.default ? [['Default', 'boots when nobody chooses'] as const] : []),
  ];
  return [
    line(''),
    line(`  ${cleanText(entry.title, charset)}`, 'bold'),
    line(''),
    ...paragraph(entry.description, columns, charset).map((text) => line(`  ${text}`)),
    line(''),
    ...rows.map(([key, value]) => line(`  ${key.padEnd(10)}${cleanText(value, charset)}`)),
  ];
}

function memoryText(entry: MenuEntry, freeBytes: number): string {
  return isTooBig(entry, freeBytes)
    ? `too little: ${formatBytes(freeBytes)} are free`
    : `${formatBytes(freeBytes)} are free`;
}

function paragraph(text: string | undefined, columns: number, charset: Charset): readonly string[] {
  return text === undefined ? [] : wrap(cleanText(text, charset), Math.max(1, columns - 4));
}

/** The newest line at the bottom; `scroll` goes up from there, as far as there is something. */
function logOf(log: readonly string[], { rows, charset }: Canvas, scroll: number): readonly Line[] {
  const end = Math.max(Math.min(rows, log.length), log.length - scroll);
  return log.slice(Math.max(0, end - rows), end).map((text) => line(cleanText(text, charset)));
}

function footerOf(state: MenuState, around: MenuSurroundings, canvas: Canvas): readonly Line[] {
  const bottom = [line(` ${statusOf(state, canvas.charset)}`, 'bold'), line(` ${keysOf(state)}`)];
  if (state.view !== 'list') return [rule(canvas), ...bottom];
  const entry = selectedEntry(state);
  const about = entry ? aboutOf(entry, around.freeBytes, canvas) : [];
  return [rule(canvas), ...[0, 1].map((index) => about[index] ?? line('')), rule(canvas), ...bottom];
}

function aboutOf(entry: MenuEntry, freeBytes: number, { columns, charset }: Canvas): readonly Line[] {
  const text = paragraph(entry.description ?? methodTexts[entry.method], columns, charset).map((one) =>
    line(` ${one}`),
  );
  if (!isTooBig(entry, freeBytes)) return text;
  return [line(` Needs ${formatBytes(entry.memoryBytes)} of memory, ${memoryText(entry, freeBytes)}`, 'bold'), ...text];
}

function statusOf(state: MenuState, charset: Charset): string {
  if (state.search !== '') return `Search: ${cleanText(state.search, charset)}_`;
  if (state.remainingMs === undefined) return '';
  return `Boots ${state.default} in ${formatSeconds(state.remainingMs / 1000)}, any key stops this`;
}

function keysOf(state: MenuState): string {
  if (state.view === 'log') return 'Up/Down scroll  Tab list  Esc back';
  if (state.view === 'details') return 'Enter boot  Up/Down next image  Tab log  Esc back';
  const escapeHelp = state.search !== '' ? '  Esc clear' : state.mayShell ? '  Esc shell' : '';
  return `Enter boot  Up/Down select  Type to search  Tab details, log${escapeHelp}`;
}
