import { expect, it } from 'vitest';
import type { Revision } from '#bundle/digest.ts';
import type { Status } from '../dashboard/view.ts';
import { hookScript, isOurHook } from './hook-script.ts';
import { viewPush } from './published.ts';
import { parsePush, pushOptions } from './push.ts';

const revision = 'a'.repeat(40) as Revision;
const other = 'b'.repeat(40) as Revision;
const none = '0'.repeat(40);
const image = { name: 'tiny', arch: 'amd64', version: '111111111111', title: 'Tiny' };
const before = {
  site: 'lab',
  ready: true,
  revision: other,
  serial: 1,
  images: [image],
  faults: [],
} as unknown as Status;
const look = (now: object, silentMs = 0, last = '') =>
  viewPush({ revision, before, now: { ...before, ...now } as Status, last, silentMs });

it('parsePush() reads what git tells a hook', () => {
  expect(parsePush(`${none} ${revision} refs/heads/main\n${other} ${none} refs/heads/a b\nnonsense\n`)).toEqual([
    { ref: 'refs/heads/main', after: revision },
    { ref: 'refs/heads/a b', before: other },
  ]);
});

it('pushOptions() reads those that git counts, and no others', () => {
  expect(pushOptions({ GIT_PUSH_OPTION_COUNT: '1', GIT_PUSH_OPTION_0: 'a', GIT_PUSH_OPTION_1: 'b' })).toEqual(['a']);
  expect(pushOptions({})).toEqual([]);
});

it('hookScript() quotes what it is given, and is known again', () => {
  const text = hookScript({
    ...{ name: 'pre-receive', program: ['/opt/node', "/opt/it's/main.ts"], argv: ['--state', '/a b'], isNeeded: true },
  });
  expect(text).toContain(`exec '/opt/node' '/opt/it'\\''s/main.ts' repo pre-receive '--state' '/a b'\n`);
  expect(isOurHook(text)).toBe(true);
  expect(isOurHook('#!/bin/sh\nexit 0\n')).toBe(false);
});

it('viewPush() tells each step once, and how it ended', () => {
  const building = { revision, done: 0, total: 2, name: 'tiny' };
  expect(look({ building })).toEqual({ lines: ['building 1 of 2: tiny'], last: 'building 1 of 2: tiny' });
  expect(look({ building }, 0, 'building 1 of 2: tiny').lines).toEqual([]);
  expect(look({ building: { ...building, done: 2 } }).lines).toEqual(['verifying and seeding']);
  expect(look({ revision, serial: 2, images: [{ ...image, version: '222222222222' }] })).toMatchObject({
    ...{ end: 'served', lines: ['serving aaaaaaaaaaaa, catalog 2', '  changed  tiny@222222222222  Tiny'] },
  });
  const faults = [{ code: 'X', message: 'No', file: 'a.yaml', line: 1, column: 2 }];
  expect(look({ refused: { kind: 'stalled', revision }, faults })).toMatchObject({
    ...{ end: 'refused', lines: ['refused; what was served goes on', 'a.yaml:1:2: No [X]'] },
  });
  expect(look({ refused: { kind: 'failed', revision }, faults })).toMatchObject({
    lines: [expect.stringContaining('tried again')],
  });
  expect(look({ suspendedSince: 'x' })).toMatchObject({ end: 'held' });
  expect(look({}, 1000)).toEqual({ lines: [], last: '' });
  expect(look({}, 60_000)).toMatchObject({ end: 'overtaken' });
});
