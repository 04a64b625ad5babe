import type { Emit } from '../boot/event.ts';
import type { Log } from '../log.ts';
import type { Decision, Received } from './reply.ts';
import type { DhcpRequest } from './request.ts';

interface Told {
  readonly emit: Emit;
  readonly log: Log;
  readonly now: () => number;
}

/** Tells of a decision: one log line, and one event where a node of ours may be concerned. */
export function note(told: Told, listener: Received['listener'], decision: Decision): void {
  const { request } = decision;
  // Under proxyDHCP the machines of the site that do not boot over the network are nobody's business here.
  const isPrivate = decision.kind === 'ignore' && decision.reason === 'not a network boot';
  if (request && !isPrivate) tellEvent(told, listener, decision, request);
  tellLog(told, decision);
}

function tellEvent(told: Told, listener: Received['listener'], decision: Decision, request: DhcpRequest): void {
  const { mac, speaker, firmware, kind } = request;
  const answer = decision.kind === 'reply' ? decision.answer : undefined;
  told.emit({
    kind: 'dhcp',
    atMs: told.now(),
    mac,
    speaker,
    request: listener === 'pxe' ? 'pxe' : kind,
    answer: answer?.kind ?? 'silence',
    ...(answer?.address !== undefined && { address: answer.address }),
    ...(firmware !== 'unknown' && { firmware }),
  });
}

/** What is not for us is at debug level: in an office network that is nearly everything. */
function tellLog({ log }: Told, decision: Decision): void {
  const { request } = decision;
  const asked = request && {
    mac: request.mac,
    request: request.kind,
    speaker: request.speaker,
    firmware: request.firmware,
  };
  if (decision.kind === 'reply') {
    const { answer, packet, to } = decision;
    const given = { address: answer.address, file: packet.file, to: to.address };
    log.info({ part: 'dhcp', ...asked, answer: answer.kind, ...given }, `dhcp ${answer.kind}`);
    return;
  }
  const isAlarm = request?.kind === 'decline' && decision.change !== undefined;
  if (isAlarm) log.warn({ part: 'dhcp', ...asked }, 'dhcp address declined: another machine seems to use it');
  else log.debug({ part: 'dhcp', ...asked, reason: decision.reason }, 'dhcp ignored');
}
