import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decodeBase64 } from '#bundle/base64.ts';
import { parseTicket } from '#bundle/boot-ticket.ts';
import type { Catalog, Group } from '#bundle/catalog.ts';
import type { Digest, InfoHash, Mac, Revision, SessionId } from '#bundle/digest.ts';
import type { Manifest, Role } from '#bundle/manifest.ts';
import { encodeMetainfo, parseMetainfo } from '#bundle/metainfo.ts';
import type { Method, Start } from '#bundle/start.ts';
import { bootScript, bootTicket, type Menu, nbpFiles } from './menu.ts';

const digest = (name: string) => createHash('sha256').update(name).digest('hex') as Digest;
const mac = '52:54:00:00:00:01' as Mac;
const session = 'd'.repeat(32) as SessionId;
const server = { url: 'http://10.0.0.1:8480', origin: '10.0.0.1:6881', cmdline: 'console=ttyS0' };
const request = { mac, session, firmware: 'bios' } as const;

function release(name: string, files: Readonly<Record<string, Role>>, kind: Manifest['kind']) {
  const list = Object.entries(files).map(([file, role]) => ({ name: file, role, sizeBytes: 9, sha256: digest(file) }));
  const manifest: Manifest = { format: 1, kind, name, arch: 'amd64', files: list };
  const parts = { name, pieceLengthBytes: 2 ** 18, files: [{ name: 'x', sizeBytes: 9 }], pieces: new Uint8Array(20) };
  return { manifest, manifestText: JSON.stringify(manifest), torrent: encodeMetainfo(parts) };
}

function menu(method: Method, groups: readonly Group[] = []): Menu {
  const blob = (name: string) => ({ digest: digest(name), sizeBytes: 9 });
  const about = (name: string) => ({
    ...{ name, arch: 'amd64' as const, manifest: blob(`${name} manifest`), sizeBytes: 9 },
    torrent: { ...blob(`${name} torrent`), infoHash: '1'.repeat(40) as InfoHash },
  });
  const catalog: Catalog = {
    ...{ format: 1, site: 'lab', revision: 'c'.repeat(40) as Revision, committedAt: '2026-01-01', serial: 7, groups },
    bootstraps: [about('bootstrap')],
    parts: [about('modules')],
    images: [{ ...about('debian'), title: 'Debian', start: startOf(method), cmdline: 'image=1', memoryBytes: 1 }],
    menu: { default: 'debian', timeoutMs: 0, shell: false },
    swarm: { seedBudgetMs: 30_000 },
  };
  const bootstrap = { vmlinuz: 'kernel', initramfs: 'initrd', 'snponly.efi': 'nbp' } as const;
  return {
    ...{
      catalog,
      catalogDigest: digest('catalog'),
      catalogText: '{}',
      signature: 'signed',
      signatureDigest: digest('s'),
    },
    releases: new Map([
      [digest('bootstrap manifest'), release('bootstrap', bootstrap, 'bootstrap')],
      [digest('modules manifest'), release('modules', { 'm.squashfs': 'modules' }, 'part')],
      [digest('debian manifest'), release('debian', { rootfs: 'rootfs' }, 'image')],
    ]),
  };
}

function startOf(method: Method): Start {
  if (method === 'kexec') return { method, unbind: [] };
  if (method !== 'exec') return { method: 'switch-root', modules: 'core' };
  return { method, modules: 'none', command: ['true'], environment: {}, afterwards: 'stay' };
}

describe('bootScript()', () => {
  it("loads the bootstrap's kernel and initramfs by digest, with the session on the command line", () => {
    const text = bootScript(menu('switch-root'), request, server);
    expect(text).toContain(`http://10.0.0.1:8480/blob/${digest('vmlinuz')}/vmlinuz initrd=initramfs bt.server=`);
    expect(text).toContain(`initrd --name initramfs http://10.0.0.1:8480/blob/${digest('initramfs')}/initramfs`);
    expect(text).toContain(
      `bt.session=${session} bt.mac=${mac} bt.bootstrap=${digest('bootstrap manifest')} console=ttyS0`,
    );
    expect(text).toContain(`loading debian@${digest('debian manifest').slice(0, 12)}`);
  });

  it("adds a group's parameters for a kernel that stays: with kexec they are for the next one", () => {
    const groups = [{ name: 'g', match: { mac: ['52:54:*'] }, cmdline: 'quiet' }];
    expect(bootScript(menu('switch-root', groups), request, server)).toContain('console=ttyS0 quiet');
    expect(bootScript(menu('exec', groups), request, server)).toContain('console=ttyS0 quiet');
    expect(bootScript(menu('kexec', groups), request, server)).not.toContain('quiet');
  });

  it('waits with the reason where there is nothing to boot', () => {
    const arm = bootScript(menu('kexec'), { ...request, firmware: 'uefi-arm64' }, server);
    expect(arm).toContain('no bootstrap for firmware uefi-arm64');
    const groups = [{ name: 'g', match: {}, image: 'missing' }];
    expect(bootScript(menu('kexec', groups), request, server)).toContain('no missing for amd64');
    expect(bootScript(menu('kexec', groups), request, server)).toContain('/boot/52-54-00-00-00-01/bios.ipxe');
  });
});

describe('bootTicket()', () => {
  it('holds the signed catalog, manifests, and torrents that announce under the session', () => {
    const { text, image, manifests } = bootTicket(
      menu('switch-root'),
      { mac, session, arch: 'amd64', nowMs: 5 },
      server,
    );
    expect([image.name, manifests]).toEqual(['debian', [digest('debian manifest'), digest('modules manifest')]]);
    const ticket = parseTicket(text);
    expect(ticket).toMatchObject({
      session,
      mac,
      timeMs: 5,
      catalog: '{}',
      signature: 'signed',
      origin: server.origin,
    });
    const torrent = parseMetainfo(decodeBase64(ticket.image.torrent ?? '')!);
    expect(torrent.announce).toBe(`http://10.0.0.1:8480/announce/${session}`);
  });

  it('refuses an architecture that has no image', () => {
    const ask = () => bootTicket(menu('kexec'), { mac, session, arch: 'arm64', nowMs: 5 }, server);
    expect(ask).toThrow(expect.objectContaining({ code: 'IMAGE_UNKNOWN' }));
  });
});

describe('nbpFiles()', () => {
  it('names the boot programs of the bootstrap and nothing else', () => {
    expect([...nbpFiles(menu('kexec')).keys()]).toEqual(['snponly.efi']);
  });
});
