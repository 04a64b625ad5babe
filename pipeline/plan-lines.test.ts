import { expect, test } from 'vitest';
import { parseMac } from '#bundle/digest.ts';
import type { ImageChange, PlanChanges } from './plan-changes.ts';
import { planLines, planMarkdown } from './plan-lines.ts';

const image: ImageChange = {
  name: 'debian',
  arch: 'amd64',
  kind: 'changed',
  from: '055d8ec1a38f',
  mustBuild: true,
  settings: ['cmdline'],
  buildBytes: 95_100_000,
  transferBytes: 95_100_000,
  bootBytes: 95_100_000,
  isEstimate: true,
};
const same: ImageChange = { ...image, name: 'memtest', kind: 'unchanged', mustBuild: false, to: '055d8ec1a38f' };
const back: ImageChange = {
  ...{ ...image, ...{ name: 'old', settings: [], mustBuild: false, isEstimate: false, to: 'aaaaaaaaaaaa' } },
  ...{ rollsBackTo: { serial: 12, revision: 'x' }, buildBytes: 0, transferBytes: 0, bootBytes: 500 },
};
const plan: PlanChanges = {
  images: [image, same, back, { ...same, name: 'gone', kind: 'removed' }],
  bootstrap: { kind: 'changed', mustBuild: true },
  knownNodes: 3,
  nodes: [
    {
      ...{ mac: parseMac('52:54:00:00:00:01'), from: 'debian@055d8ec1a38f', to: 'debian (to be built)' },
      ...{ isChanged: true, memoryBytes: 2 ** 30, needBytes: 2 ** 31, fits: false },
    },
    { mac: parseMac('52:54:00:00:00:02'), isChanged: true, trouble: 'no x|y <b> for amd64' },
  ],
};
const subject = { revision: 'a09727714cc2b6f4', against: 'what is published' };

test('planLines() shows what changes, node by node', () => {
  const footnote = expect.stringContaining('To build:');
  expect(planLines(plan, subject)).toEqual([
    'Plan for a09727714cc2 against what is published: 3 of 4 images change, 1 to build',
    '  image   what happens             version                      to build  to transfer  per boot',
    '  debian  is built (cmdline)       055d8ec1a38f → new           ~95.1 MB  ~95.1 MB     ~95.1 MB',
    '  old     rolls back to serial 12  055d8ec1a38f → aaaaaaaaaaaa  0         0            1 kB',
    '  gone    removed                  055d8ec1a38f',
    '  The bootstrap changes and is built: every node loads the new one at its next boot',
    '2 of 3 known nodes will boot something else; 1 of them lacks the RAM',
    '  52:54:00:00:00:01  debian@055d8ec1a38f → debian (to be built)  needs 2048 of 1024 MiB: DOES NOT FIT',
    '  52:54:00:00:00:02  nothing  no x|y <b> for amd64',
    footnote,
  ]);
});

test('planMarkdown() shows the same as tables, in which no text becomes markup', () => {
  const lines = planMarkdown(plan, subject).split('\n');
  expect(lines).toContain('| debian | is built (cmdline) | 055d8ec1a38f → new | ~95.1 MB | ~95.1 MB | ~95.1 MB |');
  expect(lines).toContain('| 52:54:00:00:00:02 | nothing | no x&#124;y &#60;b&#62; for amd64 |');
});

test('planLines() of a commit that changes nothing is short', () => {
  const nothing: PlanChanges = {
    images: [same],
    bootstrap: { kind: 'unchanged', mustBuild: false },
    knownNodes: 0,
    nodes: [],
  };
  expect(planLines(nothing, { ...subject, isWorktree: true })).toEqual([
    'Plan for the directory as it is against what is published: nothing changes for 1 image',
    'No node is known',
  ]);
});
