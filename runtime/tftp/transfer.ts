import type { Terms } from './negotiate.ts';

/**
 * One file on its way to one node. Blocks count from 1 without wrapping here; on the wire they are modulo 65536.
 * Invariants: `acknowledged` never falls; at most `windowBlocks` blocks after it have been sent.
 */
export interface Transfer {
  readonly terms: Terms;
  readonly sizeBytes: number;
  /** Blocks in all: the last one is shorter than the others, and empty where the size is an exact multiple. */
  readonly blocks: number;
  /** `options`: an OACK was sent and waits for the acknowledgement of block 0. */
  readonly state: 'options' | 'data' | 'done' | 'failed';
  readonly acknowledged: number;
  readonly sent: number;
  /** Whether the window was sent again because of an acknowledgement, since the last progress. */
  readonly isResent: boolean;
  readonly attempts: number;
}

export type TransferEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'ack'; readonly block: number }
  | { readonly kind: 'error' }
  | { readonly kind: 'timeout' };

/** What is to be sent: the blocks `first` to `last`, or the acknowledgement of options. */
export type Send =
  | { readonly kind: 'options' }
  | { readonly kind: 'blocks'; readonly first: number; readonly last: number };

export interface Step {
  readonly transfer: Transfer;
  readonly send: Send | undefined;
  /** When the next `timeout` is due; undefined: as it was before, or never where the transfer has ended. */
  readonly deadlineMs: number | undefined;
}

/** A node that was switched off is given up after about half a minute. */
const attemptLimit = 6;
const longestWaitMs = 8000;

export function openTransfer(terms: Terms, sizeBytes: number): Transfer {
  const blocks = Math.floor(sizeBytes / terms.blockBytes) + 1;
  const state = terms.accepted.size > 0 ? 'options' : 'data';
  return { terms, sizeBytes, blocks, state, acknowledged: 0, sent: 0, isResent: false, attempts: 0 };
}

/** @param now milliseconds on any clock that does not go back */
export function step(transfer: Transfer, event: TransferEvent, now: number): Step {
  if (transfer.state === 'done' || transfer.state === 'failed') return quiet(transfer);
  switch (event.kind) {
    case 'start':
      return transfer.state === 'options' ? sendOptions(transfer, now) : sendWindow(transfer, now);
    case 'error':
      return quiet({ ...transfer, state: 'failed' });
    case 'timeout':
      return sendAgain(transfer, now);
    case 'ack':
      return takeAck(transfer, event.block, now);
    default:
      return event satisfies never;
  }
}

/** Where a block's bytes are in the file. */
export function blockRange(transfer: Transfer, block: number): { readonly offset: number; readonly length: number } {
  const offset = (block - 1) * transfer.terms.blockBytes;
  return { offset, length: Math.min(transfer.terms.blockBytes, transfer.sizeBytes - offset) };
}

function takeAck(transfer: Transfer, wireBlock: number, now: number): Step {
  const { state, acknowledged, sent } = transfer;
  if (state === 'options') {
    return wireBlock === 0 ? sendWindow({ ...transfer, state: 'data', attempts: 0 }, now) : quiet(transfer);
  }
  const block = acknowledged + ((wireBlock - (acknowledged & 0xffff) + 0x10000) & 0xffff);
  // Behind or never sent: an old duplicate.
  if (block > sent) return quiet(transfer);
  if (block === acknowledged) return takeDuplicate(transfer, now);
  const next: Transfer = { ...transfer, acknowledged: block, isResent: false, attempts: 0 };
  return block === transfer.blocks ? quiet({ ...next, state: 'done' }) : sendWindow(next, now);
}

/**
 * Block by block, data is never sent because of a duplicate acknowledgement: both sides would double their packets from
 * then on (RFC 1123 §4.2.3.1). With a window it means that the first block got lost (RFC 7440 §4), and is heeded once.
 */
function takeDuplicate(transfer: Transfer, now: number): Step {
  const isGap = transfer.terms.windowBlocks > 1 && transfer.sent > transfer.acknowledged && !transfer.isResent;
  return isGap ? sendWindow({ ...transfer, isResent: true }, now) : quiet(transfer);
}

function sendAgain(transfer: Transfer, now: number): Step {
  const tried = { ...transfer, attempts: transfer.attempts + 1 };
  if (tried.attempts >= attemptLimit) return quiet({ ...tried, state: 'failed' });
  return transfer.state === 'options' ? sendOptions(tried, now) : sendWindow(tried, now);
}

function sendOptions(transfer: Transfer, now: number): Step {
  return { transfer, send: { kind: 'options' }, deadlineMs: now + waitOf(transfer) };
}

/** Sends from the first block that is not acknowledged, as many as the window holds. */
function sendWindow(transfer: Transfer, now: number): Step {
  const first = transfer.acknowledged + 1;
  const last = Math.min(transfer.blocks, transfer.acknowledged + transfer.terms.windowBlocks);
  const sent = { ...transfer, sent: Math.max(transfer.sent, last) };
  return { transfer: sent, send: { kind: 'blocks', first, last }, deadlineMs: now + waitOf(transfer) };
}

function waitOf({ terms, attempts }: Transfer): number {
  return terms.isTimeoutFixed ? terms.timeoutMs : Math.min(longestWaitMs, terms.timeoutMs * 2 ** attempts);
}

function quiet(transfer: Transfer): Step {
  return { transfer, send: undefined, deadlineMs: undefined };
}
