import { expect, it } from 'vitest';
import type { BootTicket } from '#bundle/boot-ticket.ts';
import type { Catalog, ImageRelease, Release } from '#bundle/catalog.ts';
import type { Digest, Mac } from '#bundle/digest.ts';
import type { Manifest, ManifestFile, Role } from '#bundle/manifest.ts';
import { partsOf, type QemuStart, type Start } from '#bundle/start.ts';
import { chooseReleases, type Machine, phases, type Verified } from './phases.ts';

const machine: Machine = { mac: '52:54:00:aa:00:01' as Mac, arch: 'amd64', kernelRelease: '6.12.1' };
const ticket = { image: { torrent: 'i' }, parts: [] } as unknown as BootTicket;
const megabyte = 1024 * 1024;
const kexec: Start = { method: 'kexec', unbind: ['nouveau'] };
const switchRoot: Start = { method: 'switch-root', modules: 'core' };
const exec: Start = { method: 'exec', modules: 'none', command: ['/bin/x'], environment: {}, afterwards: 'stay' };
const qemu: QemuStart = {
  ...({ method: 'qemu', firmware: 'bios', cpu: 'host', cpus: 1, memoryBytes: 1e8, display: 'serial' } as const),
  ...({ network: 'none', disks: [], arguments: [], restart: 'never' } as const),
};

function file(name: string, role: Role, sizeBytes = 10 * megabyte): ManifestFile {
  return { name, role, sizeBytes, sha256: 'a'.repeat(64) as Digest };
}

function verified(start: Start, files: readonly ManifestFile[], kernelRelease = '6.12.1'): Verified {
  const about = { format: 1, name: 'os', arch: 'amd64' } as const;
  const parts = partsOf(start).map((name) => {
    const files = [name === 'qemu' ? file('q.squashfs', 'tools') : file('m.squashfs', 'modules')];
    return {
      name,
      manifest: { ...about, kind: 'part', name, kernelRelease, files } as Manifest,
      hint: { manifest: '' },
    };
  });
  const image = { name: 'os', start } as ImageRelease;
  const imageManifest: Manifest = { ...about, kind: 'image', method: start.method, files };
  const catalog = { swarm: { seedBudgetMs: 30_000 } } as Catalog;
  return { catalog, image, cmdline: "a='b c'  d", imageManifest, parts };
}

it('phases() of kexec: the image alone, initrds in the order of the manifest, command line as written', () => {
  const files = [file('a.img', 'initrd'), file('linux', 'kernel'), file('z.img', 'initrd')];
  const plan = phases(ticket, machine, verified(kexec, files));
  expect(plan.map((phase) => phase.kind)).toEqual(['reserve', 'download', 'verify-files', 'seed', 'kexec']);
  expect(plan.at(-1)).toEqual({
    kind: 'kexec',
    kernel: 'files/image/os/linux',
    initrds: ['files/image/os/a.img', 'files/image/os/z.img'],
    cmdline: "a='b c'  d",
    unbind: ['nouveau'],
    takesSession: false,
  });
  expect(plan[1]).toMatchObject({ totalBytes: 30 * megabyte });
  expect(plan[3]).toMatchObject({ budgetMs: 30_000 });
});

it('phases() of kexec reserves no second copy: room for joining the second initrd to the first', () => {
  const files = [file('a.img', 'initrd', 300e6), file('linux', 'kernel'), file('z.img', 'initrd', 1000)];
  expect(phases(ticket, machine, verified(kexec, files))[0]).toEqual({
    kind: 'reserve',
    sizeBytes: 300e6 + 10 * megabyte + 1000 + 1000 + 64 * 1024,
  });
});

it('phases() hands the session to our own stage only, known by its name in the signed manifest', () => {
  const own = phases(ticket, machine, verified(kexec, [file('initrd.boottorrent', 'initrd'), file('k', 'kernel')]));
  expect(own.at(-1)).toMatchObject({ takesSession: true });
  const foreign = phases(ticket, machine, verified(kexec, [file('initrd', 'initrd'), file('k', 'kernel')]));
  expect(foreign.at(-1)).toMatchObject({ takesSession: false });
});

it('phases() of switch-root: the image and the modules of the running kernel, nothing else of the bootstrap', () => {
  const plan = phases(ticket, machine, verified(switchRoot, [file('rootfs.squashfs', 'rootfs')]));
  expect(plan.map((phase) => phase.kind)).toEqual(['reserve', 'download', 'verify-files', 'switch-root']);
  expect(plan[1]).toMatchObject({ totalBytes: 20 * megabyte });
  expect(plan.at(-1)).toMatchObject({
    rootfs: ['files/image/os/rootfs.squashfs'],
    modules: ['files/modules/modules/m.squashfs'],
    torrents: ['image', 'modules'],
  });
});

it('phases() of switch-root: layers in the order of the manifest, and the limit of what may be written', () => {
  const start: Start = { method: 'switch-root', modules: 'none', overlayBytes: 5e8 };
  const plan = phases(ticket, machine, verified(start, [file('00-a', 'rootfs'), file('01-b', 'rootfs')]));
  expect(plan.at(-1)).toMatchObject({
    rootfs: ['files/image/os/00-a', 'files/image/os/01-b'],
    modules: [],
    overlayBytes: 5e8,
  });
});

it('phases() of exec and qemu do not leave the swarm, and so do not wait for it', () => {
  const program = phases(ticket, machine, verified(exec, [file('r', 'rootfs')]));
  expect(program.map((phase) => phase.kind)).toEqual(['reserve', 'download', 'verify-files', 'exec']);
  const disk = { file: 'd.img', format: 'raw', interface: 'ide' } as const;
  const guest = phases(ticket, machine, verified({ ...qemu, disks: [disk] }, [file('d.img', 'disk')]));
  expect(guest.map((phase) => phase.kind)).toEqual(['reserve', 'download', 'verify-files', 'qemu']);
  expect(guest.at(-1)).toMatchObject({
    tools: 'files/qemu/qemu/q.squashfs',
    folder: 'files/image/os',
    files: { 'd.img': 'files/image/os/d.img' },
    torrents: ['image', 'qemu'],
  });
});

it.each(['chain', 'local'] as const)(
  'phases() of %s: the next boot script does it, nothing is downloaded',
  (method) => {
    expect(phases(ticket, machine, verified({ method }, []))).toEqual([{ kind: 'reboot', image: 'os' }]);
  },
);

it('phases() verifies every file that it downloads', () => {
  const plan = phases(ticket, machine, verified(switchRoot, [file('rootfs.squashfs', 'rootfs'), file('x', 'file')]));
  const [, download, verify] = plan;
  expect(download).toMatchObject({ kind: 'download' });
  expect(verify).toMatchObject({ kind: 'verify-files' });
  expect((verify as { deliveries: unknown }).deliveries).toEqual((download as { deliveries: unknown }).deliveries);
});

it('phases() refuses modules of another kernel, and does not mind with kexec', () => {
  const old = verified(switchRoot, [file('r', 'rootfs')], '6.12.2');
  expect(() => phases(ticket, machine, old)).toThrow(expect.objectContaining({ code: 'BOOTSTRAP_OUTDATED' }));
  expect(phases(ticket, machine, verified(kexec, [file('k', 'kernel')], '6.12.2'))).toHaveLength(5);
});

it.each([
  [kexec, [file('i', 'initrd')]],
  [kexec, [file('a', 'kernel'), file('b', 'kernel')]],
  [switchRoot, [file('k', 'kernel')]],
  [exec, [file('k', 'kernel')]],
  [{ ...qemu, cdrom: 'missing.iso' }, [file('other.iso', 'cdrom')]],
] as const)('phases() refuses $0.method with the wrong files', (start, files) => {
  expect(() => phases(ticket, machine, verified(start, files))).toThrow(
    expect.objectContaining({ code: 'IMAGE_INVALID' }),
  );
});

const image = { name: 'os', arch: 'amd64', cmdline: 'one', start: switchRoot } as ImageRelease;
const other = { name: 'other', arch: 'amd64', cmdline: '', start: { method: 'local' } } as ImageRelease;
const part = { name: 'modules', arch: 'amd64' } as Release;
const catalog = {
  images: [image, other],
  parts: [part],
  menu: { default: 'os', timeoutMs: 0 },
  groups: [{ name: 'g', match: { mac: ['52:54:00:aa:*'] }, cmdline: 'two' }],
} as unknown as Catalog;

it('chooseReleases() joins the image’s command line and its group’s', () => {
  expect(chooseReleases(catalog, machine, 'os')).toEqual({
    image,
    parts: [{ name: 'modules', release: part }],
    cmdline: 'one two',
  });
  expect(() => chooseReleases({ ...catalog, parts: [] }, machine, 'os')).toThrow(
    expect.objectContaining({ code: 'PART_UNKNOWN' }),
  );
});

it('chooseReleases() takes what the site offers to this node, and nothing else of the catalog', () => {
  expect(chooseReleases(catalog, machine, 'other').image).toBe(other);
  const fixed = { ...catalog, groups: [{ name: 'g', match: {}, image: 'os' }] };
  expect(() => chooseReleases(fixed, machine, 'other')).toThrow(expect.objectContaining({ code: 'IMAGE_UNKNOWN' }));
});
