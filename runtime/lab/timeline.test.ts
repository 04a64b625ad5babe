import { expect, it } from 'vitest';
import { liveLines, news, summary, type TimelineNode } from './timeline.ts';

const node: TimelineNode = {
  name: 'node1',
  session: 'aa',
  image: 'debian',
  version: '0123456789ab',
  phase: 'download',
  percent: 50,
  bytesPerSecond: 20e6,
  bytes: { origin: 40e6, peers: 20e6, http: 0 },
  phases: [
    { name: 'firmware', startedAtMs: 1000, seconds: 4 },
    { name: 'download', startedAtMs: 5000 },
  ],
};

it('news() tells each ended phase once', () => {
  const first = news({}, [node]);
  expect(first.lines).toEqual(['node1     4.0 s  firmware       took 4.0 s']);
  expect(news(first.told, [node]).lines).toEqual([]);
});

it('news() tells a fault once, and "up" as the end', () => {
  const failed = news({}, [{ ...node, phases: [], fault: { code: 'X_Y', message: 'Cannot do it' } }]);
  expect(failed.lines).toEqual(['node1  FAILED  Cannot do it [X_Y]']);
  expect(news(failed.told, [{ ...node, phases: [], fault: { code: 'X_Y', message: 'Cannot do it' } }]).lines).toEqual(
    [],
  );
  const up = { ...node, phase: 'up', phases: [...node.phases.slice(0, 1), { name: 'up', startedAtMs: 31_000 }] };
  expect(news({}, [up]).lines.at(-1)).toBe('node1    30.0 s  UP  debian@0123456789ab');
});

it('liveLines() shows a bar while a node downloads, and nothing for one that is up', () => {
  const lines = liveLines([node, { ...node, phase: 'up' }], 7000);
  expect(lines).toEqual(['node1     2.0 s  download       [##########----------]  50 %  20 MB/s']);
});

it('summary() says whose bytes a node got', () => {
  expect(summary([node])[2]).toBe('       40 MB from the origin, 20 MB from peers, 0.0 MB by HTTP');
});
