import { relative } from 'node:path';
import type { Digest, Mac } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { BootEvent } from './boot/event.ts';
import type { Firmware } from './boot/firmware.ts';
import { handedOver } from './boot/handover.ts';
import { bootScript, bootstrapFor, bootTicket, type Server, waitingScript } from './boot/menu.ts';
import type { BootSession } from './boot/session.ts';
import type { Offers } from './boot-offers.ts';
import type { BootAnswers } from './http/boot-listener.ts';
import type { Conditions } from './reconcile/outcome.ts';
import type { SwarmNeeds } from './swarm-needs.ts';
import type { Tracker } from './tracker/http.ts';

export interface BootAnswersOptions {
  readonly offers: Offers;
  readonly server: () => Server;
  readonly conditions: () => Conditions;
  /** Paths of the blobs that served bundles name. @throws Fault `DRIFT` */
  readonly blobPath: (digest: Digest) => Promise<string | undefined>;
  /** @throws Fault `DRAINING` where this node must not begin to boot */
  readonly check: (mac: Mac) => void;
  readonly blobsPath: string;
  readonly tracker: Tracker;
  readonly needs: SwarmNeeds;
  /** Folds an event in and tells which session it belongs to. */
  readonly take: (event: BootEvent) => BootSession | undefined;
  readonly now: () => number;
}

/** What nodes ask for by HTTP, from the served menu; every question is a boot event too. */
export function bootAnswers(options: BootAnswersOptions): BootAnswers {
  const { take, now, tracker } = options;
  return {
    script: (request) => answerScript(options, request),
    ticket({ session, mac, arch, image: chosen, address }) {
      options.check(mac);
      const offer = options.offers.forTicket({ mac, arch }, chosen);
      if (!offer) throw new Fault('NOT_READY', 'Cannot make a ticket: nothing is published yet');
      const wanted = { session, mac, arch, nowMs: now(), ...(chosen !== undefined && { image: chosen }) };
      const { text, image, manifests } = bootTicket(offer.menu, wanted, options.server());
      const release = options.offers.released(offer.menu, image);
      const { name, heartbeatMs } = image;
      const given = { image: name, manifests, release, ...(heartbeatMs !== undefined && { heartbeatMs }) };
      if (take({ kind: 'ticket', atMs: now(), session, mac, address, ...given })) return text;
      throw new Fault('SESSION_UNKNOWN', `Cannot make a ticket: ${mac} has begun a newer boot than ${session}`);
    },
    announce({ session, query, address }) {
      return tracker.handleAnnounce({ session, query, remoteAddress: address, nowMs: now() });
    },
    report(report, address) {
      const session = take({ kind: 'report', atMs: now(), address, report });
      if (!session) return { originBytes: 0, httpBytes: 0, mayGo: true };
      const { originBytes, httpBytes } = session;
      return { originBytes, httpBytes, mayGo: report.phase !== 'seed' || options.needs.mayGo(session) };
    },
    async blob(digest) {
      const path = await options.blobPath(digest);
      return path && relative(options.blobsPath, path);
    },
    blobSent: (sent) => void take({ kind: 'blob', atMs: now(), ...sent }),
  };
}

function answerScript(
  options: BootAnswersOptions,
  request: { readonly mac: Mac; readonly firmware: Firmware; readonly address: string },
): string {
  options.check(request.mac);
  const server = options.server();
  const offer = options.offers.forScript(request);
  const wanted = { ...request, ...(offer?.chosen !== undefined && { chosen: offer.chosen }) };
  const handover = offer && handedOver(offer.menu, { request: wanted, server });
  const bootstrap = offer && bootstrapFor(offer.menu, request.firmware)?.manifest.digest;
  const told = { ...(handover && { handover }), ...(bootstrap && { bootstrap }) };
  const session = options.take({ kind: 'script', atMs: options.now(), ...request, ...told })?.id;
  if (!offer || session === undefined) return waitingScript(request, server, waitingReason(options.conditions()));
  return bootScript(offer.menu, { ...wanted, session }, server);
}

/** What the screen of a node says before there is anything to boot. */
function waitingReason({ building, refused }: Conditions): string {
  if (building) return `building, ${building.done} of ${building.total}: ${building.name}`;
  const [fault] = refused?.faults ?? [];
  if (!fault) return 'waiting for the first commit';
  const place = fault.file === undefined ? '' : `${fault.file}:${fault.line}: `;
  return `nothing to boot, the commit was refused: ${place}${fault.message}`;
}
