import { zeroAddress } from './address.ts';
import { type Answer, answerPacket, destination } from './answer.ts';
import { type BootFields, bootFields } from './boot-fields.ts';
import { optionCode } from './options.ts';
import type { DhcpPacket } from './packet.ts';
import type { Decision, Received } from './reply.ts';
import { type DhcpRequest, isNetworkBoot } from './request.ts';
import type { DhcpView } from './view.ts';

/** The boot server type that stands for "the boot file of the offer" (PXE 2.1, table 2-1: bootstrap server). */
const bootstrapItem = 0;

/**
 * proxyDHCP on port 67: a second offer beside the one of the site's own DHCP server, without an address. Whoever does
 * not say that it boots over the network is never answered: that is the promise to an office network.
 * @see PXE 2.1 §2.2.1
 */
export function replyAsProxy(packet: DhcpPacket, request: DhcpRequest, view: DhcpView): Decision {
  if (!isNetworkBoot(request)) return { kind: 'ignore', reason: 'not a network boot', request };
  if (request.kind !== 'discover') return { kind: 'ignore', reason: 'a question to another server', request };
  const boot = bootFields(request, view);
  if (!boot) return { kind: 'ignore', reason: 'no boot program for this firmware', request };
  const answer: Answer = { kind: 'offer', boot };
  return {
    kind: 'reply',
    request,
    answer,
    packet: answerPacket(packet, view, answer),
    to: destination({ ...packet, ciaddr: zeroAddress }, 'offer'),
  };
}

/**
 * The boot server on port 4011. EDK2 asks from port 4011 and iPXE from 68: the answer goes to where the question came
 * from.
 * @see PXE 2.1 §2.4.5
 */
export function replyAsBootServer(received: Received, request: DhcpRequest, view: DhcpView): Decision {
  const { packet, from } = received;
  if (!isNetworkBoot(request)) return { kind: 'ignore', reason: 'not a network boot', request };
  const isAsking = request.kind === 'request' || request.kind === 'inform';
  const isForUs = request.bootItem === undefined || request.bootItem === bootstrapItem;
  if (!isAsking || from.address === zeroAddress) return { kind: 'ignore', reason: 'nothing to answer', request };
  if (!isForUs) return { kind: 'ignore', reason: 'a question to another server', request };
  const boot = bootFields(request, view);
  if (!boot) return { kind: 'ignore', reason: 'no boot program for this firmware', request };
  const answer: Answer = { kind: 'ack', boot: request.bootItem === undefined ? boot : withBootItem(boot) };
  return { kind: 'reply', request, answer, packet: answerPacket(packet, view, answer), to: from };
}

/** Echoes the boot item that was asked for, layer 0 (option 43.71). */
function withBootItem(boot: BootFields): BootFields {
  const others = boot.options.filter((option) => option.code !== optionCode.vendorSpecific);
  const item = { code: optionCode.vendorSpecific, value: Uint8Array.of(71, 4, 0, bootstrapItem, 0, 0, 255) };
  return { ...boot, options: [...others, item] };
}
