import { type Ipv4, isInSubnet, zeroAddress } from './address.ts';
import { type Answer, answerPacket, destination, leaseSettings, networkSettings } from './answer.ts';
import { bootFields } from './boot-fields.ts';
import {
  chooseAddress,
  declineHoldMs,
  isFree,
  type Lease,
  type LeaseChange,
  type LeaseTable,
  offerHoldMs,
} from './lease.ts';
import type { DhcpPacket } from './packet.ts';
import { replyAsBootServer, replyAsProxy } from './proxy.ts';
import { type DhcpRequest, isNetworkBoot, type NoRequest, readRequest } from './request.ts';
import type { DhcpView } from './view.ts';

/** A packet with where it came from; `listener` is the port it came to, 67 or 4011. */
export interface Received {
  readonly packet: DhcpPacket;
  readonly listener: 'dhcp' | 'pxe';
  readonly from: { readonly address: string; readonly port: number };
}

export type IgnoreReason =
  | NoRequest
  | 'switched off'
  | 'a relay of another subnet'
  | 'not a network boot'
  | 'no boot program for this firmware'
  | 'a question to another server'
  | 'another server was chosen'
  | 'an address that is not ours to judge'
  | 'no address is free'
  | 'about to end'
  | 'nothing to answer';

/** What to do about a packet. A `change` of the leases is made in any case, and is on disk before an ACK is sent. */
export type Decision =
  | {
      readonly kind: 'reply';
      readonly request: DhcpRequest;
      readonly answer: Answer;
      readonly packet: DhcpPacket;
      readonly to: { readonly address: string; readonly port: number };
      readonly change?: LeaseChange;
    }
  | {
      readonly kind: 'ignore';
      readonly reason: IgnoreReason;
      readonly request?: DhcpRequest;
      readonly change?: LeaseChange;
    };

interface Situation {
  readonly packet: DhcpPacket;
  readonly request: DhcpRequest;
  readonly view: DhcpView;
  readonly leases: LeaseTable;
  readonly now: number;
}

/**
 * Decides about one packet, in full and proxy mode, on ports 67 and 4011.
 * @param now milliseconds since 1970
 * @see RFC 2131 §4.3, PXE 2.1 §2.2
 */
export function reply(received: Received, view: DhcpView, leases: LeaseTable, now: number): Decision {
  const { packet, listener } = received;
  const request = readRequest(packet);
  if (typeof request === 'string') return { kind: 'ignore', reason: request };
  if (view.mode === 'off') return { kind: 'ignore', reason: 'switched off', request };
  if (isNetworkBoot(request) && view.refuses?.(request.mac)) return { kind: 'ignore', reason: 'about to end', request };
  if (listener === 'pxe') return replyAsBootServer(received, request, view);
  if (view.mode === 'proxy') return replyAsProxy(packet, request, view);
  if (packet.giaddr !== zeroAddress && !isInSubnet(view.subnet, packet.giaddr)) {
    return { kind: 'ignore', reason: 'a relay of another subnet', request };
  }
  return replyAsServer({ packet, request, view, leases, now });
}

function replyAsServer(situation: Situation): Decision {
  const { kind } = situation.request;
  switch (kind) {
    case 'discover':
      return replyToDiscover(situation);
    case 'request':
      return replyToRequest(situation);
    case 'inform':
      return replyToInform(situation);
    case 'decline':
      return noteDecline(situation);
    case 'release':
      return noteRelease(situation);
    default:
      return kind satisfies never;
  }
}

function replyToDiscover(situation: Situation): Decision {
  const { request, view, leases, now } = situation;
  const wanted = request.requestedAddress;
  const address = chooseAddress(leases, view, { mac: request.mac, wanted, now });
  if (!address) return ignore(situation, 'no address is free');
  const known = leases.byMac.get(request.mac);
  const isKept = known?.address === address && known.state === 'bound' && known.expiresAtMs > now;
  const lease: Lease = { mac: request.mac, address, state: 'offered', expiresAtMs: now + offerHoldMs };
  return answer(
    situation,
    withBoot(situation, { kind: 'offer', address }),
    isKept ? undefined : { kind: 'set', lease },
  );
}

function replyToRequest(situation: Situation): Decision {
  const { packet, request, view, leases } = situation;
  if (packet.ciaddr !== zeroAddress) return replyToRenewal(situation);
  const address = request.requestedAddress;
  if (!address) return ignore(situation, 'nothing to answer');
  const known = leases.byMac.get(request.mac);
  if (request.serverId === view.subnet.address)
    return canGrant(situation, address) ? grant(situation, address) : nak(situation);
  if (request.serverId) {
    const isOffer = known?.state === 'offered';
    return ignore(situation, 'another server was chosen', isOffer ? { kind: 'drop', mac: request.mac } : undefined);
  }
  // INIT-REBOOT: a server that knows nothing of the node stays silent, so that two servers can share a wire.
  if (!isInSubnet(view.subnet, address)) return nak(situation);
  if (!known) return ignore(situation, 'an address that is not ours to judge');
  return known.address === address && canGrant(situation, address) ? grant(situation, address) : nak(situation);
}

/**
 * Renewing and rebinding. A known node keeps its address even where a commit moved the range meanwhile: what runs is
 * not disturbed, it moves when it boots again. An unknown one gets what it has if that is free: our file was lost.
 */
function replyToRenewal(situation: Situation): Decision {
  const { packet, request, view, leases } = situation;
  const address = packet.ciaddr;
  if (request.serverId && request.serverId !== view.subnet.address)
    return ignore(situation, 'another server was chosen');
  if (!isInSubnet(view.subnet, address)) return nak(situation);
  const known = leases.byMac.get(request.mac);
  if (known?.address === address || canGrant(situation, address)) return grant(situation, address);
  const holder = leases.byAddress.get(address);
  return known || holder ? nak(situation) : ignore(situation, 'an address that is not ours to judge');
}

function replyToInform(situation: Situation): Decision {
  if (situation.packet.ciaddr === zeroAddress) return ignore(situation, 'nothing to answer');
  const boot = bootFields(situation.request, situation.view);
  return answer(situation, { kind: 'ack', settings: networkSettings(situation.view), boot });
}

function noteDecline(situation: Situation): Decision {
  const { request, view, leases, now } = situation;
  const address = request.requestedAddress;
  const known = leases.byMac.get(request.mac);
  // Only what a node was really given can be declined: else one packet per address would empty the range.
  if (request.serverId !== view.subnet.address || !address || known?.address !== address) {
    return ignore(situation, 'nothing to answer');
  }
  const lease: Lease = { mac: request.mac, address, state: 'declined', expiresAtMs: now + declineHoldMs };
  return ignore(situation, 'nothing to answer', { kind: 'set', lease });
}

function noteRelease(situation: Situation): Decision {
  const { packet, request, leases, now } = situation;
  const known = leases.byMac.get(request.mac);
  if (known?.address !== packet.ciaddr) return ignore(situation, 'nothing to answer');
  return ignore(situation, 'nothing to answer', {
    kind: 'set',
    lease: { ...known, state: 'released', expiresAtMs: now },
  });
}

function canGrant({ request, view, leases, now }: Situation, address: Ipv4): boolean {
  return isFree(leases, view, { mac: request.mac, address, now });
}

function grant(situation: Situation, address: Ipv4): Decision {
  const { request, view, now } = situation;
  const lease: Lease = { mac: request.mac, address, state: 'bound', expiresAtMs: now + view.leaseMs };
  return answer(situation, withBoot(situation, { kind: 'ack', address }), { kind: 'set', lease });
}

function nak(situation: Situation): Decision {
  return answer(situation, { kind: 'nak' });
}

function withBoot({ request, view }: Situation, given: Answer): Answer {
  return { ...given, settings: leaseSettings(view), boot: bootFields(request, view) };
}

function answer({ packet, request, view }: Situation, given: Answer, change?: LeaseChange): Decision {
  return {
    kind: 'reply',
    request,
    answer: given,
    packet: answerPacket(packet, view, given),
    to: destination(packet, given.kind),
    ...(change && { change }),
  };
}

function ignore({ request }: Situation, reason: IgnoreReason, change?: LeaseChange): Decision {
  return { kind: 'ignore', reason, request, ...(change && { change }) };
}
