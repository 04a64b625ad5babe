import { expect, it } from 'vitest';
import type { BootTicket } from '#bundle/boot-ticket.ts';
import type { Catalog, ImageRelease, Release } from '#bundle/catalog.ts';
import type { Digest, Mac } from '#bundle/digest.ts';
import type { Manifest, ManifestFile, Method, Role } from '#bundle/manifest.ts';
import { chooseReleases, type Machine, phases, type Verified } from './phases.ts';

const machine: Machine = {
  mac: '52:54:00:aa:00:01' as Mac,
  arch: 'amd64',
  kernelRelease: '6.12.1',
  memoryAvailableBytes: 900e6,
};
const ticket = { image: { torrent: 'i' }, bootstrap: { torrent: 'b' } } as unknown as BootTicket;
const megabyte = 1024 * 1024;

function file(name: string, role: Role, sizeBytes = 10 * megabyte): ManifestFile {
  return { name, role, sizeBytes, sha256: 'a'.repeat(64) as Digest };
}

function verified(method: Method, files: readonly ManifestFile[], kernelRelease = '6.12.1'): Verified {
  const about = { format: 1, name: 'os', arch: 'amd64' } as const;
  const modules = [file('vmlinuz', 'kernel'), file('initramfs', 'initrd'), file('m.squashfs', 'modules')];
  const bootstrapManifest: Manifest = { ...about, kind: 'bootstrap', name: 'bootstrap', kernelRelease, files: modules };
  const image = { name: 'os', method } as ImageRelease;
  const imageManifest: Manifest = { ...about, kind: 'image', method, files };
  return { catalog: {} as Catalog, image, cmdline: "a='b c'  d", imageManifest, bootstrapManifest };
}

it('phases() of kexec: the image alone, initrds in the order of the manifest, command line as written', () => {
  const files = [file('a.img', 'initrd'), file('linux', 'kernel'), file('z.img', 'initrd')];
  const plan = phases(ticket, machine, verified('kexec', files));
  expect(plan.map((phase) => phase.kind)).toEqual(['reserve', 'download', 'verify-files', 'kexec']);
  expect(plan.at(-1)).toEqual({
    kind: 'kexec',
    kernel: 'files/image/os/linux',
    initrds: ['files/image/os/a.img', 'files/image/os/z.img'],
    cmdline: "a='b c'  d",
  });
  expect(plan[1]).toMatchObject({ totalBytes: 30 * megabyte });
});

it('phases() of switch-root: the image and the modules of the running kernel, nothing else of the bootstrap', () => {
  const plan = phases(ticket, machine, verified('switch-root', [file('rootfs.squashfs', 'rootfs')]));
  expect(plan.map((phase) => phase.kind)).toEqual(['reserve', 'download', 'verify-files', 'switch-root']);
  expect(plan[1]).toMatchObject({ totalBytes: 20 * megabyte });
  expect(plan.at(-1)).toMatchObject({
    rootfs: 'files/image/os/rootfs.squashfs',
    modules: 'files/bootstrap/bootstrap/m.squashfs',
    torrents: ['image', 'bootstrap'],
  });
});

it('phases() verifies every file that it downloads', () => {
  const plan = phases(ticket, machine, verified('switch-root', [file('rootfs.squashfs', 'rootfs'), file('x', 'file')]));
  const [, download, verify] = plan;
  expect(download).toMatchObject({ kind: 'download' });
  expect(verify).toMatchObject({ kind: 'verify-files' });
  expect((verify as { deliveries: unknown }).deliveries).toEqual((download as { deliveries: unknown }).deliveries);
});

it('phases() refuses modules of another kernel, and does not mind with kexec', () => {
  const old = verified('switch-root', [file('r', 'rootfs')], '6.12.2');
  expect(() => phases(ticket, machine, old)).toThrow(expect.objectContaining({ code: 'BOOTSTRAP_OUTDATED' }));
  expect(phases(ticket, machine, verified('kexec', [file('k', 'kernel')], '6.12.2'))).toHaveLength(4);
});

it('phases() refuses an image that does not fit the memory, before anything is downloaded', () => {
  const big = verified('kexec', [file('k', 'kernel', 302e6)]);
  expect(() => phases(ticket, { ...machine, memoryAvailableBytes: 880e6 }, big)).toThrow(
    expect.objectContaining({ code: 'MEMORY_INSUFFICIENT' }),
  );
  expect(phases(ticket, { ...machine, memoryAvailableBytes: 1100e6 }, big)).toHaveLength(4);
});

it.each([
  ['kexec', [file('i', 'initrd')]],
  ['kexec', [file('a', 'kernel'), file('b', 'kernel')]],
  ['switch-root', [file('k', 'kernel')]],
] as const)('phases() refuses %s with the wrong files', (method, files) => {
  expect(() => phases(ticket, machine, verified(method, files))).toThrow(
    expect.objectContaining({ code: 'IMAGE_INVALID' }),
  );
});

it('chooseReleases() joins the image’s command line and its group’s', () => {
  const image = { name: 'os', arch: 'amd64', cmdline: 'one' } as ImageRelease;
  const bootstrap = { name: 'bootstrap', arch: 'amd64' } as Release;
  const catalog = {
    images: [image],
    bootstraps: [bootstrap],
    menu: { default: 'os', timeoutMs: 0 },
    groups: [{ name: 'g', match: { mac: ['52:54:00:aa:*'] }, cmdline: 'two' }],
  } as unknown as Catalog;
  expect(chooseReleases(catalog, machine)).toEqual({ image, bootstrap, cmdline: 'one two' });
  expect(() => chooseReleases({ ...catalog, bootstraps: [] }, machine)).toThrow(
    expect.objectContaining({ code: 'BOOTSTRAP_UNKNOWN' }),
  );
});
