import type { Status, StatusNode } from '../dashboard/view.ts';
import type { Lab } from './lab.ts';
import type { LabNode } from './node.ts';
import type { TimelineNode } from './timeline.ts';

/** The text by which a foreign kernel's console shows that its OS is up, by image name. */
export type Expectations = ReadonlyMap<string, string>;

/**
 * Tells the runtime of every node whose console shows what only its OS prints. The agent's own last word is
 * `executing`: only after that does the console count.
 */
export async function reportConsoles(lab: Lab, status: Status, expectations: Expectations): Promise<void> {
  for (const node of lab.nodes) {
    const seen = sessionOf(node, status);
    const text = seen?.image === undefined ? undefined : expectations.get(seen.image);
    if (seen?.phase !== 'executing' || text === undefined || !node.console.has(text)) continue;
    const startedMs = seen.phases[0]?.startedAtMs ?? status.nowMs;
    await lab.reportUp(node, Math.max(0, status.nowMs - startedMs));
  }
}

/** The nodes of a lab as its timeline shows them, in the order in which they were switched on. */
export function timelineNodes(nodes: readonly LabNode[], status: Status): TimelineNode[] {
  return nodes.flatMap((node) => {
    const seen = sessionOf(node, status);
    return seen ? [timelineNode(node.name, seen)] : [];
  });
}

/** Whether all nodes of the lab are up, or have run their program to its end. */
export function allUp(nodes: readonly LabNode[], status: Status, expectations: Expectations): boolean {
  return nodes.every((node) => isUp(node, sessionOf(node, status), expectations));
}

/** The agent says `up` of a virtual machine as soon as that runs: the console must show that its OS does. */
export function isUp(node: LabNode, seen: StatusNode | undefined, expectations: Expectations): boolean {
  if (seen?.phase !== 'up' && seen?.phase !== 'ended') return false;
  const text = seen.image === undefined ? undefined : expectations.get(seen.image);
  return text === undefined || node.console.has(text);
}

/** What the status says of a node since it was switched on: the runtime remembers sessions from before a restart. */
export function sessionOf(node: Pick<LabNode, 'mac' | 'startedAtMs'>, status: Status): StatusNode | undefined {
  const seen = status.nodes.find((one) => one.mac === node.mac);
  return (seen?.phases[0]?.startedAtMs ?? 0) >= node.startedAtMs ? seen : undefined;
}

function timelineNode(name: string, seen: StatusNode): TimelineNode {
  const { session, phase, bytes, phases, image, version, percent, bytesPerSecond, fault } = seen;
  return {
    ...{ name, session, phase, bytes, phases },
    ...(image !== undefined && { image }),
    ...(version !== undefined && { version }),
    ...(percent !== undefined && { percent }),
    ...(bytesPerSecond !== undefined && { bytesPerSecond }),
    ...(fault !== undefined && { fault }),
  };
}
