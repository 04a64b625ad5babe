import { relative } from 'node:path';
import type { Digest, Mac, SessionId } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { BootEvent } from './boot/event.ts';
import type { Firmware } from './boot/firmware.ts';
import { bootScript, bootstrapFor, bootTicket, type Menu, type Server, waitingScript } from './boot/menu.ts';
import type { BootSession } from './boot/session.ts';
import type { BootAnswers } from './http/boot-listener.ts';
import type { Conditions } from './reconcile/outcome.ts';
import type { Tracker } from './tracker/http.ts';

export interface BootAnswersOptions {
  readonly menu: () => Menu | undefined;
  readonly server: () => Server;
  readonly conditions: () => Conditions;
  /** Paths of the blobs that served bundles name. */
  readonly blobPath: (digest: Digest) => string | undefined;
  readonly blobsPath: string;
  readonly tracker: Tracker;
  /** Folds an event in and tells which session it belongs to. */
  readonly take: (event: BootEvent) => BootSession | undefined;
  readonly now: () => number;
}

/** What nodes ask for by HTTP, from the served menu; every question is a boot event too. */
export function bootAnswers(options: BootAnswersOptions): BootAnswers {
  const { take, now, tracker } = options;
  return {
    script: (request) => answerScript(options, request),
    ticket({ session, mac, arch, address }) {
      const menu = options.menu();
      if (!menu) throw new Fault('NOT_READY', 'Cannot make a ticket: nothing is published yet');
      const ticket = bootTicket(menu, { session, mac, arch, nowMs: now() }, options.server());
      const { image, manifests } = ticket;
      take({ kind: 'ticket', atMs: now(), session, mac, address, image, manifests });
      return ticket.text;
    },
    announce({ session, query, address }) {
      return tracker.handleAnnounce({ session, query, remoteAddress: address, nowMs: now() });
    },
    report: (report, address) => void take({ kind: 'report', atMs: now(), address, report }),
    blob(digest) {
      const path = options.blobPath(digest);
      return path && relative(options.blobsPath, path);
    },
    blobSent: (sent) => void take({ kind: 'blob', atMs: now(), ...sent }),
  };
}

function answerScript(
  options: BootAnswersOptions,
  request: { readonly mac: Mac; readonly firmware: Firmware; readonly address: string },
): string {
  const menu = options.menu();
  const server = options.server();
  const bootstrap = menu && bootstrapFor(menu, request.firmware)?.manifest.digest;
  const event = { kind: 'script', atMs: options.now(), ...request, ...(bootstrap && { bootstrap }) } as const;
  const session: SessionId | undefined = options.take(event)?.id;
  if (!menu || session === undefined) return waitingScript(request, server, waitingReason(options.conditions()));
  return bootScript(menu, { ...request, session }, server);
}

/** What the screen of a node says before there is anything to boot. */
function waitingReason({ building, refused }: Conditions): string {
  if (building) return `building, ${building.done} of ${building.total}: ${building.name}`;
  const [fault] = refused?.faults ?? [];
  if (!fault) return 'waiting for the first commit';
  const place = fault.file === undefined ? '' : `${fault.file}:${fault.line}: `;
  return `nothing to boot, the commit was refused: ${place}${fault.message}`;
}
