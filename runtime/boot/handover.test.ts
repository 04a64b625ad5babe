import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Catalog, Group, ImageRelease } from '#bundle/catalog.ts';
import type { Digest, Mac, SessionId } from '#bundle/digest.ts';
import type { Manifest } from '#bundle/manifest.ts';
import type { Start } from '#bundle/start.ts';
import { afterUse, choiceLifeMs, chosenBy, chosenImage, type OneShotChoice } from './choice.ts';
import { handedOver, handoverImage } from './handover.ts';
import { bootScript, type Menu } from './menu.ts';

const digest = (name: string) => createHash('sha256').update(name).digest('hex') as Digest;
const mac = '52:54:00:00:00:01' as Mac;
const server = { url: 'http://10.0.0.1:8480', origin: '10.0.0.1:6881', cmdline: '' };
const session = 'd'.repeat(32) as SessionId;

function menu(options: { groups?: readonly Group[]; default?: string; timeoutMs?: number } = {}): Menu {
  const image = (name: string, start: Start): ImageRelease => ({
    ...{ name, arch: 'amd64', manifest: { digest: digest(name), sizeBytes: 9 }, sizeBytes: 9, title: name },
    ...{ start, cmdline: '', memoryBytes: 0 },
  });
  const images = [
    image('debian', { method: 'kexec', unbind: [] }),
    image('disk', { method: 'local' }),
    image('rescue', { method: 'chain' }),
  ];
  const names = { 'rescue.efi': 'nbp', 'rescue.0': 'nbp' } as const;
  const files = Object.entries(names).map(([name, role]) => ({ name, role, sizeBytes: 9, sha256: digest(name) }));
  const manifest: Manifest = { format: 1, kind: 'image', name: 'rescue', arch: 'amd64', files };
  const { groups = [], timeoutMs = 0 } = options;
  const catalog = {
    images,
    groups,
    bootstraps: [],
    parts: [],
    menu: { default: 'debian', timeoutMs, shell: true, ...(options.default && { default: options.default }) },
  };
  const releases = new Map([[digest('rescue'), { manifest, manifestText: '' }]]);
  return { catalog: catalog as unknown as Catalog, releases } as unknown as Menu;
}
const group = (image: string): Group => ({ name: 'g', match: {}, image });
const request = { mac, firmware: 'bios' } as const;

describe('handoverImage()', () => {
  it.each([
    ['disk', menu({ groups: [group('disk')] }), undefined],
    ['rescue', menu({ groups: [group('rescue')] }), undefined],
    ['disk', menu({ default: 'disk' }), undefined],
    ['disk', menu(), 'disk'],
    [undefined, menu(), undefined],
    [undefined, menu(), 'debian'],
    [undefined, menu({ groups: [group('debian')] }), 'disk'],
    [undefined, menu({ default: 'disk', timeoutMs: 10_000 }), undefined],
  ])('is %s', (name, given, chosen) => {
    expect(handoverImage(given, { ...request, ...(chosen !== undefined && { chosen }) })?.name).toBe(name);
  });
});

describe('bootScript()', () => {
  const chain = menu({ groups: [group('rescue')] });

  it('starts the local disk of a group, or the one that was chosen', () => {
    const disk = 'sanboot --no-describe --drive 0x80 || goto failed';
    expect(bootScript(menu({ groups: [group('disk')] }), { ...request, session }, server)).toContain(disk);
    expect(bootScript(menu(), { ...request, session, chosen: 'disk' }, server)).toContain(disk);
  });

  it("hands over to the program for the node's firmware", () => {
    const url = (name: string) => `chain --autofree http://10.0.0.1:8480/blob/${digest(name)}/${name} ||`;
    expect(bootScript(chain, { ...request, session }, server)).toContain(url('rescue.0'));
    expect(bootScript(chain, { ...request, session, firmware: 'uefi-x64' }, server)).toContain(url('rescue.efi'));
  });

  it('says what is missing, and hands over to nothing, where there is no program for the firmware', () => {
    const [[, release] = []] = [...chain.releases];
    const files = release?.manifest.files.filter(({ name }) => name === 'rescue.efi') ?? [];
    const manifest = { ...(release?.manifest as Manifest), files };
    const lacking = { ...chain, releases: new Map([[digest('rescue'), { manifest, manifestText: '' }]]) };
    expect(bootScript(lacking, { ...request, session }, server)).toContain('it has no program for BIOS firmware');
    expect(handedOver(lacking, { request, server })).toBeUndefined();
    expect(handedOver(chain, { request, server })).toMatchObject({ image: 'rescue' });
  });
});

describe('a one-shot choice', () => {
  const choice: OneShotChoice = { mac, image: 'disk', atMs: 1000 };
  const look = (one: OneShotChoice | undefined, nowMs: number, given = menu()) =>
    chosenImage(one, { catalog: given.catalog, arch: 'amd64', nowMs })?.name;

  it('is told by a node that reboots for an image, and by nothing else', () => {
    const report = { session, mac, uptimeMs: 0, image: 'disk' };
    expect(chosenBy({ ...report, phase: 'rebooting' }, 1000)).toEqual(choice);
    expect(chosenBy({ ...report, phase: 'menu' }, 1000)).toBeUndefined();
    expect(chosenBy({ session, mac, uptimeMs: 0, phase: 'rebooting' }, 1000)).toBeUndefined();
  });

  it('holds for five minutes', () => {
    expect(look(choice, 1000 + choiceLifeMs - 1)).toBe('disk');
    expect(look(choice, 1000 + choiceLifeMs)).toBeUndefined();
    expect(look(undefined, 1000)).toBeUndefined();
  });

  it('is used up by one script, but for the other network entries of UEFI firmware on the way to the disk', () => {
    const { images } = menu().catalog;
    const use = (name: string, firmware: 'bios' | 'uefi-x64', one = choice, nowMs = 2000) => {
      const image = images.find((other) => other.name === name);
      return image && afterUse(one, { image, firmware, nowMs });
    };
    expect([use('disk', 'bios'), use('rescue', 'bios'), use('rescue', 'uefi-x64')]).toEqual(
      new Array(3).fill(undefined),
    );
    const used = use('disk', 'uefi-x64');
    expect(used && use('disk', 'uefi-x64', used, 30_000)).toEqual(used);
    expect([look(used, 121_999), look(used, 122_000)]).toEqual(['disk', undefined]);
  });

  it('holds only for what this node may boot, and what a script can start', () => {
    expect(look({ ...choice, image: 'debian' }, 1000)).toBeUndefined();
    expect(look({ ...choice, image: 'missing' }, 1000)).toBeUndefined();
    expect(look(choice, 1000, menu({ groups: [group('debian')] }))).toBeUndefined();
  });
});
