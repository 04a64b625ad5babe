import { runOrFail } from '../command.ts';
import type { Host } from '../host.ts';
import type { Paths } from '../paths.ts';
import type { RootFiles } from '../phases.ts';

export interface RootOptions {
  readonly paths: Paths;
  readonly kernelRelease: string;
  /** How much may be written. Default: half of the RAM. */
  readonly overlayBytes?: number | undefined;
}

/** The kernel's own file systems, in the order in which they are mounted. */
const bound = ['dev', 'proc', 'sys', 'run'] as const;

/**
 * A root filesystem at `newRoot`: squashfs layers below, a tmpfs above, the modules of the running kernel, and the
 * kernel's own file systems. {@link undoRoot} takes it down, however far it got.
 * @throws Fault `ROOT_UNMOUNTABLE`
 */
export function mountRoot(host: Host, files: RootFiles, options: RootOptions): void {
  const { run, newRoot } = options.paths;
  must(host, ['mkdir', '-p', `${run}/upper`, newRoot]);
  const layers = mountLayers(host, files.rootfs, { run, folder: 'layers' });
  const { overlayBytes } = options;
  const size = overlayBytes === undefined ? '50%' : `${Math.ceil(overlayBytes / 1024)}k`;
  must(host, ['mount', '-t', 'tmpfs', '-o', `mode=0755,size=${size}`, 'tmpfs', `${run}/upper`]);
  must(host, ['mkdir', `${run}/upper/changes`, `${run}/upper/work`]);
  const folders = `lowerdir=${layers.join(':')},upperdir=${run}/upper/changes,workdir=${run}/upper/work`;
  must(host, ['mount', '-t', 'overlay', '-o', folders, 'overlay', newRoot]);
  mountModules(host, files.modules, options);
  for (const name of bound) {
    must(host, ['mkdir', '-p', `${newRoot}/${name}`]);
    must(host, ['mount', '-o', 'rbind', `/${name}`, `${newRoot}/${name}`]);
  }
}

/** Takes down what {@link mountRoot} has built, as far as it got. */
export function undoRoot(host: Host, { newRoot, run }: Paths): void {
  if (host.list(newRoot).length > 0) {
    for (const name of ['proc/cmdline', ...bound.toReversed()]) host.run(['umount', '-l', `${newRoot}/${name}`]);
    host.run(['umount', '-l', newRoot]);
  }
  const layers = ['layers', 'module-layers'].flatMap((folder) =>
    host.list(`${run}/${folder}`).map((name) => `${folder}/${name}`),
  );
  for (const name of ['modules', 'upper', ...layers].filter((one) => host.list(`${run}/${one}`).length > 0)) {
    host.run(['umount', '-l', `${run}/${name}`]);
  }
}

/** Whether a program is there, looked up inside the root: links in it may be absolute. */
export function isProgram(host: Host, path: string, { newRoot, run }: Paths): boolean {
  return host.run(['chroot', newRoot, `${run}/bin/busybox`, 'test', '-x', path]).status === 0;
}

/** The highest first, as overlay wants it. */
function mountLayers(
  host: Host,
  files: readonly string[],
  { run, folder }: { readonly run: string; readonly folder: string },
): readonly string[] {
  const layers = files.map((file, index) => {
    const layer = `${run}/${folder}/${index}`;
    must(host, ['mkdir', '-p', layer]);
    must(host, ['mount', '-t', 'squashfs', '-o', 'ro,loop', `${run}/${file}`, layer]);
    return layer;
  });
  return layers.toReversed();
}

/** Several squashfs files, laid over each other where modprobe looks. */
function mountModules(host: Host, files: readonly string[], { paths, kernelRelease }: RootOptions): void {
  const { run, newRoot } = paths;
  // /lib is a link to usr/lib in a merged system, and must not be followed into the bootstrap where it is absolute.
  const isLink = host.run(['readlink', `${newRoot}/lib`]).status === 0;
  const target = `${newRoot}/${isLink ? 'usr/lib' : 'lib'}/modules/${kernelRelease}`;
  must(host, ['mkdir', '-p', target, `${run}/modules`]);
  const layers = mountLayers(host, files, { run, folder: 'module-layers' });
  const [first, ...others] = layers;
  if (first === undefined) return;
  if (others.length === 0) must(host, ['mount', '-o', 'bind', first, `${run}/modules`]);
  else must(host, ['mount', '-t', 'overlay', '-o', `ro,lowerdir=${layers.join(':')}`, 'overlay', `${run}/modules`]);
  must(host, ['mount', '-o', 'bind', `${run}/modules`, target]);
}

function must(host: Host, argv: readonly string[]): void {
  runOrFail(host, argv, { code: 'ROOT_UNMOUNTABLE', purpose: `mount the image (${argv.slice(0, 5).join(' ')})` });
}
