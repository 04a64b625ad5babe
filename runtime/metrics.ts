import { Counter, Gauge, Registry } from 'prom-client';
import type { BootEvent } from './boot/event.ts';
import { countPhases } from './boot/nodes.ts';
import type { BootSession } from './boot/session.ts';
import type { Status } from './dashboard/view.ts';

/** Numbers for Prometheus. Labels are closed sets: nothing that a node says becomes one. */
export interface Metrics {
  count(event: BootEvent): void;
  /** @param sources what gauges are made from at each scrape */
  render(sources: MetricsSources): Promise<{ readonly type: string; readonly text: string }>;
}

export interface MetricsSources {
  readonly status: Status;
  readonly sessions: readonly BootSession[];
  /** DHCP packets ignored since the start, by reason. */
  readonly ignored: Readonly<Record<string, number>>;
}

export function openMetrics(): Metrics {
  const registers = [new Registry()];
  const counter = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Counter({ name: `boottorrent_${name}_total`, help, labelNames, registers });
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Gauge({ name: `boottorrent_${name}`, help, labelNames, registers });
  const dhcp = counter('dhcp_packets', 'DHCP packets that were answered', ['speaker', 'request', 'answer']);
  const tftp = counter('tftp_transfers', 'TFTP transfers', ['result']);
  const sent = counter('sent_bytes', 'Payload bytes sent to nodes', ['by']);
  const scripts = counter('boot_scripts', 'Boot scripts given');
  const tickets = counter('boot_tickets', 'Boot tickets given');
  const announces = counter('announces', 'Tracker announces answered');
  const reports = counter('reports', 'Boot reports taken', ['phase']);
  const overdue = counter('heartbeats_missing', 'Boots whose heartbeat did not come in time');
  const ready = gauge('ready', '1 when a verified catalog is served');
  const refused = gauge('revision_refused', '1 when the newest revision is not served');
  const serial = gauge('catalog_serial', 'Serial of the served catalog');
  const nodes = gauge('nodes', 'Nodes by the phase of their newest boot session', ['phase']);
  const stalled = gauge('nodes_stalled', 'Nodes that say nothing though they should, by their last phase', ['phase']);
  const fallenBack = gauge('nodes_fallen_back', 'Nodes that get an older release because the published one failed');
  const ignored = gauge('dhcp_ignored', 'DHCP packets not answered, by reason', ['reason']);

  function count(event: BootEvent): void {
    switch (event.kind) {
      case 'dhcp':
        dhcp.inc({ speaker: event.speaker, request: event.request, answer: event.answer });
        return;
      case 'tftp':
        tftp.inc({ result: event.result });
        sent.inc({ by: 'tftp' }, event.sentBytes);
        return;
      case 'blob':
        sent.inc({ by: 'http' }, event.sentBytes);
        return;
      case 'origin':
        sent.inc({ by: 'origin' }, event.sentBytes);
        return;
      case 'script':
        scripts.inc();
        return;
      case 'ticket':
        tickets.inc();
        return;
      case 'announce':
        announces.inc();
        return;
      case 'report':
        reports.inc({ phase: event.report.phase });
        return;
      case 'overdue':
        overdue.inc();
        return;
      default:
        event satisfies never;
    }
  }

  async function render({ status, sessions, ignored: reasons }: MetricsSources) {
    ready.set(status.ready ? 1 : 0);
    refused.set(status.refused ? 1 : 0);
    serial.set(status.serial ?? 0);
    nodes.reset();
    for (const [phase, number] of countPhases(sessions)) nodes.set({ phase }, number);
    stalled.reset();
    for (const node of status.nodes) if (node.stalledSinceMs !== undefined) stalled.inc({ phase: node.phase });
    fallenBack.set(status.nodes.filter((node) => node.fallback).length);
    ignored.reset();
    for (const [reason, number] of Object.entries(reasons)) ignored.set({ reason }, number);
    const [register = new Registry()] = registers;
    return { type: register.contentType, text: await register.metrics() };
  }
  return { count, render };
}
