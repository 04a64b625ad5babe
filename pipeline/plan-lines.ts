import type { ImageChange, NodeChange, PlanChanges } from './plan-changes.ts';

/** What a plan is about, for its first line. */
export interface PlanSubject {
  /** A commit; or the directory as it is, which is based on it. */
  readonly revision: string;
  readonly isWorktree?: boolean;
  /** What it is compared with. */
  readonly against: string;
}

/** More nodes than these are counted, not listed. */
const nodeLimit = 40;

const footnote =
  'To build: bytes of the files that a build makes. To transfer: bytes of files that nothing published now has, once for each ' +
  'server or registry. Per boot: bytes that a node downloads, from the other nodes for the most part. ~: as the version before.';

/** A plan for people, a line each. */
export function planLines(plan: PlanChanges, subject: PlanSubject): readonly string[] {
  const rows = changedImages(plan).map(imageCells);
  const nodes = plan.nodes.slice(0, nodeLimit).map((node) => `  ${nodeCells(node).join('  ')}`);
  return [
    `Plan for ${shown(subject)} against ${subject.against}: ${summary(plan)}`,
    ...columns(rows).map((line) => `  ${line}`),
    ...bootstrapLine(plan),
    nodesSummary(plan),
    ...nodes,
    ...(plan.nodes.length > nodeLimit ? [`  and ${plan.nodes.length - nodeLimit} more`] : []),
    ...(rows.length > 0 ? [footnote] : []),
  ];
}

/** A plan as GitHub's Markdown, for the discussion of a change. */
export function planMarkdown(plan: PlanChanges, subject: PlanSubject): string {
  const images = changedImages(plan).map((image) => `| ${imageCells(image).map(escapeCell).join(' | ')} |`);
  const nodes = plan.nodes.slice(0, nodeLimit).map((node) => `| ${nodeCells(node).map(escapeCell).join(' | ')} |`);
  const lines = [
    `### BootTorrent: plan for ${shown(subject)}`,
    '',
    `Against ${subject.against}: ${summary(plan)}.`,
    ...table('| image | what happens | version | to build | to transfer | per boot |', images),
    ...['', ...bootstrapLine(plan).map((line) => line.trim()), '', nodesSummary(plan)],
    ...table('| node | boots | RAM |', nodes),
    ...(plan.nodes.length > nodeLimit ? ['', `… and ${plan.nodes.length - nodeLimit} more nodes`] : []),
    ...(images.length > 0 ? ['', `<sub>${footnote}</sub>`] : []),
  ];
  return `${lines.join('\n').replaceAll(/\n{3,}/g, '\n\n')}\n`;
}

function table(head: string, rows: readonly string[]): readonly string[] {
  if (rows.length === 0) return [];
  const columnCount = head.split('|').length - 2;
  return ['', head, `|${' --- |'.repeat(columnCount)}`, ...rows];
}

function changedImages({ images }: PlanChanges): readonly ImageChange[] {
  return images.filter(({ kind }) => kind !== 'unchanged');
}

function summary({ images }: PlanChanges): string {
  const changed = images.filter(({ kind }) => kind !== 'unchanged').length;
  const built = images.filter(({ mustBuild }) => mustBuild).length;
  if (changed === 0) return `nothing changes for ${count(images.length, 'image')}`;
  return `${changed} of ${count(images.length, 'image')} ${changed === 1 ? 'changes' : 'change'}, ${built} to build`;
}

function imageCells(change: ImageChange): readonly string[] {
  const { name, from, to, isEstimate, buildBytes, transferBytes, bootBytes } = change;
  const bytes = (value: number | undefined) => (value === undefined ? '?' : sizeText(value, isEstimate));
  const isGone = change.kind === 'removed';
  return [
    name,
    what(change),
    [...new Set([from, isGone ? from : (to ?? 'new')])].filter(Boolean).join(' → '),
    ...(isGone ? ['', '', ''] : [bytes(buildBytes), bytes(transferBytes), bytes(bootBytes)]),
  ];
}

function what({ kind, mustBuild, settings, rollsBackTo }: ImageChange): string {
  const also = settings.length > 0 ? ` (${settings.join(', ')})` : '';
  if (kind === 'settings') return `settings${also}`;
  if (kind === 'added' || kind === 'removed') return kind;
  if (rollsBackTo) return `rolls back to serial ${rollsBackTo.serial}${also}`;
  return `${mustBuild ? 'is built' : 'is in the store'}${also}`;
}

function bootstrapLine({ bootstrap }: PlanChanges): readonly string[] {
  if (bootstrap.kind === 'unchanged') return [];
  return [
    `  The bootstrap changes${bootstrap.mustBuild ? ' and is built' : ''}: every node loads the new one at its next boot`,
  ];
}

function nodesSummary({ nodes, knownNodes }: PlanChanges): string {
  if (knownNodes === 0) return 'No node is known';
  const changed = nodes.filter(({ isChanged }) => isChanged).length;
  const small = nodes.filter(({ fits }) => fits === false).length;
  const lacking = small === 0 ? '' : `; ${small} of them ${small === 1 ? 'lacks' : 'lack'} the RAM`;
  return `${changed} of ${count(knownNodes, 'known node')} will boot something else${lacking}`;
}

function nodeCells({ mac, from, to, isChanged, memoryBytes, needBytes, fits, trouble }: NodeChange): readonly string[] {
  const mebibytes = (bytes: number) => `${Math.ceil(bytes / 1024 / 1024)}`;
  const boots = isChanged && from !== undefined && from !== to ? `${from} → ${to ?? 'nothing'}` : (to ?? 'nothing');
  const need = needBytes === undefined ? '?' : mebibytes(needBytes);
  const has = memoryBytes === undefined ? '?' : mebibytes(memoryBytes);
  const verdict = fits === undefined ? 'not known' : fits ? 'fits' : 'DOES NOT FIT';
  return [mac, boots, trouble ?? `needs ${need} of ${has} MiB: ${verdict}`];
}

function sizeText(bytes: number, isEstimate: boolean): string {
  const text = bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  return bytes === 0 ? '0' : `${isEstimate ? '~' : ''}${text}`;
}

function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const head = ['image', 'what happens', 'version', 'to build', 'to transfer', 'per boot'];
  const all = rows.length > 0 ? [head, ...rows] : [];
  const widths = head.map((_, at) => Math.max(0, ...all.map((row) => row[at]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function count(of: number, what: string): string {
  return `${of} ${what}${of === 1 ? '' : 's'}`;
}

function shown({ revision, isWorktree }: PlanSubject): string {
  return isWorktree ? 'the directory as it is' : revision.slice(0, 12);
}

/** Names and versions have no character that Markdown reads; a fault's message may. */
function escapeCell(text: string): string {
  return text.replaceAll(/[|<>&`*_[\]\n]/g, (one) => `&#${one.charCodeAt(0)};`);
}
