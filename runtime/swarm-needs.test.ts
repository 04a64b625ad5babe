import { expect, it } from 'vitest';
import type { Catalog } from '#bundle/catalog.ts';
import { type Digest, type Mac, parseSessionId } from '#bundle/digest.ts';
import type { Menu } from './boot/menu.ts';
import type { BootPhase, BootSession } from './boot/session.ts';
import { openSwarmNeeds } from './swarm-needs.ts';

const os = 'a'.repeat(64) as Digest;
const release = { arch: 'amd64', sizeBytes: 1, title: '', cmdline: '', memoryBytes: 1 } as const;
const catalog = {
  images: [
    { ...release, name: 'os', manifest: { digest: os, sizeBytes: 1 }, start: { method: 'kexec', unbind: [] } },
    {
      ...release,
      name: 'memtest',
      manifest: { digest: 'b'.repeat(64) as Digest, sizeBytes: 1 },
      start: { method: 'local' },
    },
  ],
  groups: [{ name: 'testers', match: { mac: ['52:54:00:00:00:03'] }, image: 'memtest' }],
  menu: { default: 'os', timeoutMs: 0, shell: false },
} as unknown as Catalog;

function session(node: number, phase: BootPhase, more: Partial<BootSession> = {}): BootSession {
  return {
    id: parseSessionId(String(node).padStart(32, '0')),
    mac: `52:54:00:00:00:0${node}` as Mac,
    lastSeenMs: 1000,
    phases: [{ name: phase, atMs: 1000 }],
    names: [],
    ...{ doneBytes: 0, totalBytes: 0, bytesPerSecond: 0, originBytes: 0, httpBytes: 0 },
    ...more,
  };
}

const leaving = session(1, 'seed', { manifest: os });

function mayLeave(...others: readonly BootSession[]): boolean {
  const sessions = () => [leaving, ...others];
  return openSwarmNeeds({ sessions, menu: () => ({ catalog }) as Menu, now: () => 1000 }).mayGo(leaving);
}

it('a node whose firmware has just asked for an address is expected to boot what the site says', () => {
  expect(mayLeave(session(2, 'firmware'))).toBe(false);
  expect(mayLeave(session(3, 'firmware'))).toBe(true);
});

it('a ticket tells what a node boots, before it reports that itself', () => {
  expect(mayLeave(session(2, 'ticket', { image: 'memtest' }))).toBe(true);
  expect(mayLeave(session(3, 'ticket', { image: 'os' }))).toBe(false);
});

it('a node of an architecture without images is not waited for', () => {
  expect(mayLeave(session(2, 'firmware', { firmware: 'uefi-arm64' }))).toBe(true);
});

it('looks at the sessions twice a second at most', () => {
  let looks = 0;
  let nowMs = 1000;
  const sessions = () => {
    looks += 1;
    return [leaving];
  };
  const needs = openSwarmNeeds({ sessions, menu: () => ({ catalog }) as Menu, now: () => nowMs });
  for (const atMs of [1000, 1100, 1499, 1500]) {
    nowMs = atMs;
    expect(needs.mayGo(leaving)).toBe(true);
  }
  expect(looks).toBe(2);
});
