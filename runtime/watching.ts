import type { Fault } from '#bundle/fault.ts';
import type { Component } from './component.ts';
import { watchRepository } from './git/watch.ts';
import type { Here } from './here.ts';
import type { Follower } from './reconcile/follow.ts';

/** Following the repository: offers each new revision to the follower, and remembers why it cannot be read. */
export interface Watching {
  readonly component: Component;
  readonly trouble: () => Fault | undefined;
  /** When it was asked with success last. */
  readonly successMs: () => number | undefined;
  /** Asks the repository now, and tries again what is waited for. */
  poke(): void;
}

export function openWatching(
  { options, site, mirror, remote }: Here,
  parts: {
    readonly follower: Follower;
    readonly onTrouble: () => void;
    /** Told of a revision that is there but is not taken: too large, too slow, or not sound. */
    readonly onRefused: (fault: Fault) => void;
  },
): Watching {
  const { follower, onTrouble, onRefused } = parts;
  let trouble: Fault | undefined;
  let successMs: number | undefined;
  const component = watchRepository({
    ...{ mirror, pollMs: site.git.pollMs, log: options.log, random: () => Math.random() },
    ...(remote.local && { local: remote.local }),
    onRevision: (revision) => {
      trouble = undefined;
      successMs = Date.now();
      follower.offer(revision);
    },
    onFault: (fault) => {
      trouble = fault;
      if (fault.code !== 'GIT_UNREACHABLE') onRefused(fault);
      onTrouble();
    },
  });
  function poke(): void {
    component.poke();
    // Who pokes may have mended just that: the registry has it now, a server answers again.
    const { refused } = follower.conditions();
    if (refused && refused.kind !== 'stalled') follower.again();
  }
  return { component, trouble: () => trouble, successMs: () => successMs, poke };
}
