import { type BootTicket, parseTicket, ticketLimitBytes } from '#bundle/boot-ticket.ts';
import type { Arch } from '#bundle/manifest.ts';
import type { Host } from './host.ts';
import { fetchText } from './http.ts';
import type { BootParameters } from './parameters.ts';

/** @throws Fault `SERVER_BUSY`, `SERVER_UNREACHABLE`, `RESPONSE_TOO_LARGE`, `TICKET_INVALID` */
export function fetchTicket(host: Host, parameters: BootParameters, arch: Arch): BootTicket {
  const { server, session, mac } = parameters;
  const url = `${server}/v1/ticket/${session}?mac=${mac}&arch=${arch}`;
  return parseTicket(fetchText(host, url, { timeoutMs: 30_000, limitBytes: ticketLimitBytes }));
}
