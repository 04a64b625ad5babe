import type { Digest, InfoHash } from '#bundle/digest.ts';
import type { Log } from '../log.ts';
import type { ObservedState, ServedBundle } from './desired.ts';
import { type Action, after } from './diff.ts';

/** What carries actions out. Each may be done again without harm. */
export interface Effects {
  /** Checks every file of a bundle. @throws Fault `BLOB_MISSING`, `BLOB_DIGEST_MISMATCH` */
  verify(bundle: ServedBundle): Promise<void>;
  /** Whether every file of a verified bundle looks as it did then. */
  isUnchanged(bundle: ServedBundle): Promise<boolean>;
  seed(bundle: ServedBundle): Promise<void>;
  /** Makes a loaded menu the one that scripts and tickets are made from, in one step. */
  publishMenu(catalog: Digest): Promise<void>;
  unseed(infoHash: InfoHash): Promise<void>;
}

/**
 * Carries actions out in their order.
 * @param onStep is called after each with the state as it is then, so that nothing is served that is not in it
 * @throws the fault of the first action that fails: what was done before it stays, and is consistent
 */
export async function apply(
  actions: readonly Action[],
  observed: ObservedState,
  { effects, onStep, log }: { effects: Effects; onStep: (observed: ObservedState) => void; log: Log },
): Promise<void> {
  let state = observed;
  for (const action of actions) {
    await carryOut(action, effects);
    state = after(state, action);
    onStep(state);
    log.info({ part: 'reconcile', ...describeAction(action) }, action.kind);
  }
}

async function carryOut(action: Action, effects: Effects): Promise<void> {
  switch (action.kind) {
    case 'verify':
      return effects.verify(action.bundle);
    case 'seed':
      return effects.seed(action.bundle);
    case 'publish-menu':
      return effects.publishMenu(action.catalog);
    case 'unseed':
      return effects.unseed(action.infoHash);
    case 'drain':
    case 'forget':
      // Only the observed state changes: what it holds is what HTTP serves.
      return;
    default:
      return action satisfies never;
  }
}

function describeAction(action: Action): object {
  if ('bundle' in action) return { bundle: action.bundle.name, manifest: action.bundle.manifest.digest };
  return action.kind === 'unseed' ? { infoHash: action.infoHash } : { catalog: action.catalog };
}
