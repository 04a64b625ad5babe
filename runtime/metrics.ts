import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { BootEvent } from './boot/event.ts';
import type { SessionChange } from './boot/nodes.ts';
import { currentPhase } from './boot/session.ts';
import { type Gauges, openGauges, setGauges } from './metrics-gauges.ts';
import { counterIn, type Family, gaugeIn, newRegistry } from './metrics-registry.ts';
import type { Result } from './reconcile/outcome.ts';

/** Numbers for Prometheus. Labels are closed sets: nothing that a node says becomes one. `metrics.md` lists them all. */
export interface Metrics {
  count(event: BootEvent): void;
  /** Takes in that a session has begun or come to another phase. */
  changed(change: SessionChange): void;
  /** Takes in what became of a revision. @param seconds absent: something else published it */
  recorded(result: Result, seconds: number | undefined): void;
  /** Takes in an answer of the boot listener. @param route as the table has it */
  answered(route: string, status: number): void;
  /** @param sources what gauges are made from at each scrape */
  render(sources: Gauges): Promise<{ readonly type: string; readonly text: string }>;
  /** Every metric that there is. */
  families(): Promise<readonly Family[]>;
}

export function openMetrics(): Metrics {
  const registry = newRegistry();
  const counter = counterIn(registry);
  const gauge = gaugeIn(registry);
  const count = openEventCounters(counter);
  const begun = counter('boots_begun', 'Boot sessions that began');
  const boots = counter('boots', 'Boots that came to an end', ['result']);
  const publishes = counter('publishes', 'Catalogs that were published, whoever did that');
  const refusals = counter('refusals', 'Tries of a revision that were refused', ['retry']);
  const took = gauge('last_publish_seconds', 'How long the newest publish took, from the revision to being served');
  const http = counter('http_requests', 'Requests that the boot listener answered', ['route', 'status']);
  const gauges = openGauges(gauge);
  const lag = monitorEventLoopDelay({ resolution: 10 });
  lag.enable();

  return {
    count,
    changed({ before, after }) {
      if (!after) return;
      if (!before) begun.inc();
      const result = currentPhase(after);
      const isNews = !before || currentPhase(before) !== result;
      if (isNews && (result === 'up' || result === 'failed' || result === 'ended')) boots.inc({ result });
    },
    recorded(result, seconds) {
      if (result.kind === 'refused') return refusals.inc({ retry: result.retry });
      publishes.inc();
      if (seconds !== undefined) took.set(seconds);
    },
    answered: (route, status) => http.inc({ route, status: `${Math.floor(status / 100)}xx` }),
    async render(sources) {
      setGauges(gauges, sources, lagOf(lag));
      return { type: registry.contentType, text: await registry.metrics() };
    },
    async families() {
      const all = await registry.getMetricsAsJSON();
      return all.map(({ name, help, type }) => ({ name, help, type: `${type}`, labels: registry.labelsOf(name) }));
    },
  };
}

/** Since the last scrape. */
function lagOf(lag: ReturnType<typeof monitorEventLoopDelay>): {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
} {
  const seconds = (nanoseconds: number) => (Number.isFinite(nanoseconds) ? nanoseconds / 1e9 : 0);
  const found = { p50: seconds(lag.percentile(50)), p99: seconds(lag.percentile(99)), max: seconds(lag.max) };
  lag.reset();
  return found;
}

function openEventCounters(counter: ReturnType<typeof counterIn>): (event: BootEvent) => void {
  const dhcp = counter('dhcp_packets', 'DHCP packets of nodes, by what they were answered', [
    'speaker',
    'request',
    'answer',
  ]);
  const tftp = counter('tftp_transfers', 'TFTP transfers', ['result']);
  const sent = counter('sent_bytes', 'Payload bytes sent to nodes', ['by']);
  const scripts = counter('boot_scripts', 'Boot scripts given');
  const tickets = counter('boot_tickets', 'Boot tickets given');
  const announces = counter('announces', 'Tracker announces answered');
  const reports = counter('reports', 'Boot reports taken', ['phase']);
  const overdue = counter('heartbeats_missing', 'Boots whose heartbeat did not come in time');
  return (event) => {
    switch (event.kind) {
      case 'dhcp':
        return dhcp.inc({ speaker: event.speaker, request: event.request, answer: event.answer });
      case 'tftp':
        tftp.inc({ result: event.result });
        return sent.inc({ by: 'tftp' }, event.sentBytes);
      case 'blob':
        return sent.inc({ by: 'http' }, event.sentBytes);
      case 'origin':
        return sent.inc({ by: 'origin' }, event.sentBytes);
      case 'script':
        return scripts.inc();
      case 'ticket':
        return tickets.inc();
      case 'announce':
        return announces.inc();
      case 'report':
        return reports.inc({ phase: event.report.phase });
      case 'overdue':
        return overdue.inc();
      default:
        return event satisfies never;
    }
  };
}
