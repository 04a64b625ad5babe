import { Counter, Gauge, Registry } from 'prom-client';

/** One metric as the page lists it. */
export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** A registry that knows the labels of its metrics. */
export class MetricsRegistry extends Registry {
  readonly #labels = new Map<string, readonly string[]>();

  learn(name: string, labels: readonly string[]): void {
    this.#labels.set(name, labels);
  }

  labelsOf(name: string): readonly string[] {
    return this.#labels.get(name) ?? [];
  }
}

export const newRegistry = (): MetricsRegistry => new MetricsRegistry();

/** Makes counters, `boottorrent_<name>_total`. */
export function counterIn(registry: MetricsRegistry) {
  return (name: string, help: string, labelNames: readonly string[] = []): Counter => {
    const full = `boottorrent_${name}_total`;
    registry.learn(full, labelNames);
    return new Counter({ name: full, help, labelNames, registers: [registry] });
  };
}

/** Makes gauges, `boottorrent_<name>`. */
export function gaugeIn(registry: MetricsRegistry) {
  return (name: string, help: string, labelNames: readonly string[] = []): Gauge => {
    const full = `boottorrent_${name}`;
    registry.learn(full, labelNames);
    return new Gauge({ name: full, help, labelNames, registers: [registry] });
  };
}

/** The page that lists every metric, as Markdown. */
export function metricsPage(families: readonly Family[]): string {
  const rows = families
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels.join(', ')} | ${help} |`);
  return [
    '# Metrics',
    '',
    '`GET /metrics` of the status listener and of the control socket, in the text format of Prometheus. Every label is a closed',
    'set: no name, address or text of a node becomes one. A test compares this page with the registry;',
    '`npx vitest run runtime/metrics.test.ts -u` writes it anew.',
    '',
    '| metric | type | labels | what it counts |',
    '|---|---|---|---|',
    ...rows,
    '',
    'Worth an alert: `boottorrent_ready == 0`; `time() - boottorrent_git_last_success_seconds > 600`;',
    '`boottorrent_revision_refused == 1` for longer than it takes to push a fix; `boottorrent_nodes_stalled > 0`;',
    '`boottorrent_store_free_bytes` below the size of the largest image.',
    '',
  ].join('\n');
}
