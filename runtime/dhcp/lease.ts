import type { Mac } from '#bundle/digest.ts';
import { addressNumber, addressOf, type Ipv4 } from './address.ts';
import { type DhcpView, isAssignable } from './view.ts';

/**
 * - `offered`: held for a node that was offered it
 * - `bound`: acknowledged
 * - `released`: given back; the record stays, so that the node gets the same address again (RFC 2131 §4.3.4)
 * - `declined`: somebody else was found to use it; no node gets it until it expires
 */
export type LeaseState = 'offered' | 'bound' | 'released' | 'declined';

export interface Lease {
  /** With `declined`: who declined it. */
  readonly mac: Mac;
  readonly address: Ipv4;
  readonly state: LeaseState;
  /** Milliseconds since 1970. An expired lease is still remembered, and is its node's until another needs it. */
  readonly expiresAtMs: number;
}

/**
 * All leases. Invariants: one record per address; one address per MAC, whatever client ids its firmware, iPXE and
 * operating system send, so that one power cycle uses one address. Only {@link applyLease} changes it.
 */
export interface LeaseTable {
  readonly byMac: ReadonlyMap<Mac, Lease>;
  readonly byAddress: ReadonlyMap<Ipv4, Lease>;
}

/** A change of the table: a record to set, or the address of one to forget. */
export type LeaseChange =
  | { readonly kind: 'set'; readonly lease: Lease }
  | { readonly kind: 'drop'; readonly mac: Mac };

/** How long an offer is held. Firmware collects offers for up to 4 s and then asks; iPXE twice that. */
export const offerHoldMs = 60_000;
/** How long a declined address is not given to anybody. */
export const declineHoldMs = 10 * 60_000;

/** A table in which earlier changes were made, in order. */
export function openLeaseTable(changes: Iterable<LeaseChange> = []): LeaseTable {
  const table: LeaseTable = { byMac: new Map(), byAddress: new Map() };
  for (const change of changes) applyLease(table, change);
  return table;
}

/** The one way to change a table: in place, because a copy for each packet would cost more than the packet. */
export function applyLease(table: LeaseTable, change: LeaseChange): void {
  const byMac = table.byMac as Map<Mac, Lease>;
  const byAddress = table.byAddress as Map<Ipv4, Lease>;
  const forget = (old: Lease | undefined) => {
    if (!old) return;
    if (byMac.get(old.mac) === old) byMac.delete(old.mac);
    if (byAddress.get(old.address) === old) byAddress.delete(old.address);
  };
  forget(byMac.get(change.kind === 'drop' ? change.mac : change.lease.mac));
  if (change.kind === 'drop') return;
  const { lease } = change;
  forget(byAddress.get(lease.address));
  byAddress.set(lease.address, lease);
  if (lease.state !== 'declined') byMac.set(lease.mac, lease);
}

/** Whether a node may have an address now: nobody else holds it, and it may be given away. */
export function isFree(table: LeaseTable, view: DhcpView, ask: { mac: Mac; address: Ipv4; now: number }): boolean {
  if (!isAssignable(view, ask.address)) return false;
  const holder = table.byAddress.get(ask.address);
  if (!holder) return true;
  return isOwn(holder, ask.mac) || holder.expiresAtMs <= ask.now;
}

/**
 * The address for a node: the one it had, else the one it asks for, else one found from its MAC (so that a lost lease
 * file mostly gives the same addresses again), never-used ones first, then the one that expired longest ago.
 * @returns undefined when the range is full
 */
export function chooseAddress(
  table: LeaseTable,
  view: DhcpView,
  ask: { readonly mac: Mac; readonly wanted: Ipv4 | undefined; readonly now: number },
): Ipv4 | undefined {
  const { mac, now } = ask;
  const own = table.byMac.get(mac)?.address;
  if (own && isFree(table, view, { mac, address: own, now })) return own;
  // Another's expired address is not given for the asking: its node may come back for it.
  if (ask.wanted && !table.byAddress.has(ask.wanted) && isAssignable(view, ask.wanted)) return ask.wanted;
  return searchRange(table, view, { mac, now });
}

function isOwn(lease: Lease, mac: Mac): boolean {
  return lease.state !== 'declined' && lease.mac === mac;
}

function searchRange(table: LeaseTable, view: DhcpView, ask: { mac: Mac; now: number }): Ipv4 | undefined {
  if (!view.range) return undefined;
  const { first, last } = view.range;
  const size = last - first + 1;
  const start = hash(ask.mac) % size;
  let oldest: Lease | undefined;
  for (let step = 0; step < size; step += 1) {
    const address = addressOf(first + ((start + step) % size));
    const holder = table.byAddress.get(address);
    if (!holder && isAssignable(view, address)) return address;
    const isOlder = holder && (!oldest || holder.expiresAtMs < oldest.expiresAtMs);
    if (isOlder && isFree(table, view, { mac: ask.mac, address, now: ask.now })) oldest = holder;
  }
  return oldest?.address;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193);
  return sum >>> 0;
}

/** Addresses in use, in numerical order. */
export function activeLeases(table: LeaseTable, now: number): readonly Lease[] {
  const bound = [...table.byMac.values()].filter((lease) => lease.state === 'bound' && lease.expiresAtMs > now);
  return bound.sort((a, b) => addressNumber(a.address) - addressNumber(b.address));
}
