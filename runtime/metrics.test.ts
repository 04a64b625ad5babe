import { expect, test } from 'vitest';
import type { Mac, Revision, SessionId } from '#bundle/digest.ts';
import { type BootSession, openSession } from './boot/session.ts';
import { openMetrics } from './metrics.ts';
import type { Gauges } from './metrics-gauges.ts';
import { metricsPage } from './metrics-registry.ts';

const revision = 'c'.repeat(40) as Revision;
const sources: Gauges = {
  status: { ready: true, serial: 7 },
  ...{ sessions: [], stalled: [], fallbackCount: 0, isDraining: false, ignored: {} },
  ...{ served: { bundles: 2, draining: 1, bytes: 5 }, gitSuccessMs: 5000, storeBytes: 9, storeFreeBytes: 8 },
};

function session(index: number): BootSession {
  const mac = `52:54:00:00:${(index >> 8).toString(16)}:${(index & 255).toString(16)}` as Mac;
  return openSession(`${index}` as SessionId, mac, { kind: 'script', atMs: 0, mac, address: '10.0.0.1' });
}

// `vitest run -u` writes the page anew.
test('metrics.md lists every metric of the registry, with its labels', async () => {
  await expect(metricsPage(await openMetrics().families())).toMatchFileSnapshot('metrics.md');
});

test('what is rendered are the metrics of the page, and no others', async () => {
  const metrics = openMetrics();
  const { text } = await metrics.render(sources);
  const rendered = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  expect(rendered.toSorted()).toEqual((await metrics.families()).map(({ name }) => name).toSorted());
  expect(text).toContain('boottorrent_git_last_success_seconds 5\n');
});

test('boots, publishes and refusals are counted once each', async () => {
  const metrics = openMetrics();
  const begun = session(1);
  const up = { ...begun, phases: [...begun.phases, { name: 'up', atMs: 5 }] } as BootSession;
  metrics.changed({ after: begun });
  metrics.changed({ before: begun, after: up });
  metrics.changed({ before: up, after: { ...up, lastSeenMs: 9 } });
  metrics.recorded({ kind: 'published', revision, serial: 7 }, 1.5);
  metrics.recorded({ kind: 'refused', revision, faults: [], retry: 'stalled' }, 0.1);
  metrics.answered('/v1/report', 204);
  const { text } = await metrics.render(sources);
  for (const line of [
    ...['boots_begun_total 1', 'boots_total{result="up"} 1', 'publishes_total 1', 'last_publish_seconds 1.5'],
    ...['refusals_total{retry="stalled"} 1', 'http_requests_total{route="/v1/report",status="2xx"} 1'],
  ]) {
    expect(text).toContain(`boottorrent_${line}\n`);
  }
});

test('the number of lines does not grow with the number of nodes', async () => {
  const lines = async (count: number) => {
    const metrics = openMetrics();
    const sessions = Array.from({ length: count }, (_, index) => session(index));
    for (const after of sessions) metrics.changed({ after });
    return (await metrics.render({ ...sources, sessions, stalled: sessions })).text.split('\n').length;
  };
  expect(await lines(10_000)).toBe(await lines(1));
});
