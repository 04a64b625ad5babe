import { fallbackLine, printable } from './node-lines.ts';
import type { Status, StatusNode } from './view.ts';

/** The status for a terminal. */
export function statusLines(status: Status): readonly string[] {
  return [
    headline(status),
    ...(status.building
      ? [`building  ${status.building.done} of ${status.building.total}: ${status.building.name}`]
      : []),
    ...(status.suspendedSince === undefined ? [] : [`suspended  publishing is held since ${status.suspendedSince}`]),
    ...refusalLines(status),
    ...(status.needsRestart.length > 0 ? [`needs restart  ${status.needsRestart.join(', ')}`] : []),
    ...status.images.map((image) => `image  ${image.name}@${image.version}  ${image.method}  ${image.title}`),
    ...status.draining.map((one) => `draining  ${one.name}@${one.version}`),
    ...status.nodes.flatMap(nodeLines),
  ].map(printable);
}

function headline({ site, notReady, revision, serial }: Status): string {
  const serving = revision === undefined ? [] : [`serving ${revision.slice(0, 12)}, catalog ${serial}`];
  return [site, ...serving, ...(notReady === undefined ? [] : [`not ready: ${notReady}`])].join('  ');
}

function refusalLines({ refused, faults }: Status): readonly string[] {
  const head = refused ? [`${refused.kind}  commit ${refused.revision?.slice(0, 12) ?? ''} is not served`] : [];
  const rest = faults.flatMap(({ code, message, hint, file, line, column }) => {
    const place = file === undefined ? '' : `${file}:${line}:${column}: `;
    return [`  ${place}${message} [${code}]`, ...(hint === undefined ? [] : [`    ${hint}`])];
  });
  return [...head, ...rest];
}

function nodeLines(node: StatusNode): readonly string[] {
  const percent = node.percent === undefined ? '' : `  ${Math.floor(node.percent)} %`;
  const image = node.image === undefined ? '' : `  ${node.image}@${node.version ?? '?'}`;
  const stalled = node.stalledSinceMs === undefined ? '' : '  stalled';
  return [
    `node  ${node.mac}  ${node.address ?? '-'}  ${node.phase}${image}${percent}${stalled}`,
    ...(node.fault ? [`  ${node.fault.message} [${node.fault.code}]`] : []),
    ...(node.exitStatus === undefined ? [] : [`  ended with status ${node.exitStatus}`]),
    ...(node.missingDrivers ? [`  no driver for ${node.missingDrivers.join(', ')}`] : []),
    ...(node.fallback ? [`  ${fallbackLine(node.fallback)}`] : []),
  ];
}
