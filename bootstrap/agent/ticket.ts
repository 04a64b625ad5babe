import { type BootTicket, parseTicket, ticketLimitBytes } from '#bundle/boot-ticket.ts';
import type { Arch } from '#bundle/manifest.ts';
import type { Host } from './host.ts';
import { fetchText } from './http.ts';
import type { BootParameters } from './parameters.ts';

/**
 * @param image what a person has chosen; absent: the server says it
 * @throws Fault `SERVER_BUSY`, `SESSION_UNKNOWN`, `SERVER_UNREACHABLE`, `RESPONSE_TOO_LARGE`, `TICKET_INVALID`
 */
export function fetchTicket(
  host: Host,
  parameters: BootParameters,
  wanted: { arch: Arch; image?: string },
): BootTicket {
  const { server, session, mac } = parameters;
  const chosen = wanted.image === undefined ? '' : `&image=${encodeURIComponent(wanted.image)}`;
  const url = `${server}/v1/ticket/${session}?mac=${mac}&arch=${wanted.arch}${chosen}`;
  return parseTicket(fetchText(host, url, { timeoutMs: 30_000, limitBytes: ticketLimitBytes }));
}
