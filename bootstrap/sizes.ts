import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { Fault } from '#bundle/fault.ts';
import type { Arch } from '#bundle/manifest.ts';
import type { Kernel } from '#pipeline/source/kernel.ts';
import { programs, stubs } from './contents.ts';
import { drivers } from './drivers.ts';
import { modulePaths } from './module-tree.ts';
import { librariesOf } from './programs.ts';

/** What one part of the bootstrap costs, in compressed bytes. All rows together are kernel and initramfs. */
export interface SizeRow {
  readonly name: string;
  readonly bytes: number;
}

export interface MeasureOptions {
  readonly arch: Arch;
  readonly kernel: Kernel;
  readonly packagesPath: string;
  /** The tree of the initramfs, and the initramfs that was made of it. */
  readonly tree: string;
  readonly initramfsPath: string;
}

/**
 * What each part costs. Many files are compressed in one stream, so that the sum is shared out: drivers by their sizes in
 * Debian's package, where each is compressed by itself, everything else by the sizes that it has when compressed alone.
 */
export async function measureSizes(options: MeasureOptions): Promise<readonly SizeRow[]> {
  const { kernel, tree, initramfsPath } = options;
  const size = async (path: string) => (await stat(path)).size;
  const driverBytes = await size(join(tree, 'lib/modules.squashfs'));
  return [
    { name: 'kernel', bytes: await size(kernel.vmlinuzPath) },
    ...share(driverBytes, await driverWeights(kernel)),
    ...share((await size(initramfsPath)) - driverBytes, await fileWeights(options)),
  ];
}

/** A line for each part. */
export function formatSizes(sizes: readonly SizeRow[]): readonly string[] {
  return sizes.map(({ name, bytes }) => `${(bytes / 1e6).toFixed(2).padStart(7)} MB    ${name}`);
}

/** Every node loads kernel and initramfs from the server alone. @throws Fault `BOOTSTRAP_TOO_LARGE` */
export function checkBudget(sizes: readonly SizeRow[], budgetBytes: number): void {
  const totalBytes = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  if (totalBytes <= budgetBytes) return;
  const message = `Cannot use the bootstrap: kernel and initramfs have ${totalBytes} bytes, at most ${budgetBytes}`;
  const largest = formatSizes(sizes.toSorted((a, b) => b.bytes - a.bytes).slice(0, 5)).map((line) => line.trim());
  const hint = `Take something out of bootstrap/drivers.ts or contents.ts. The largest: ${largest.join(', ')}`;
  throw new Fault('BOOTSTRAP_TOO_LARGE', message, { hint });
}

/** Shares `total` out by weights; the rows add up to it exactly. */
export function share(total: number, weights: readonly SizeRow[]): readonly SizeRow[] {
  const sum = weights.reduce((all, { bytes }) => all + bytes, 0);
  let before = 0;
  let given = 0;
  return weights.map(({ name, bytes }) => {
    before += bytes;
    const end = Math.round((total * before) / sum);
    const row = { name, bytes: end - given };
    given = end;
    return row;
  });
}

/** A module that several kinds need belongs to the first of them. */
async function driverWeights(kernel: Kernel): Promise<readonly SizeRow[]> {
  const seen = new Set<string>();
  const rows: SizeRow[] = [];
  for (const [kind, names] of Object.entries(drivers)) {
    let bytes = 0;
    for (const path of (await modulePaths(names, kernel)).filter((one) => !seen.has(one))) {
      seen.add(path);
      bytes += (await stat(join(kernel.modulesPath, path))).size;
    }
    rows.push({ name: `drivers: ${kind}`, bytes });
  }
  return rows;
}

async function fileWeights(options: MeasureOptions): Promise<readonly SizeRow[]> {
  const { tree } = options;
  const needed = await Promise.all(programs.map((program) => librariesOf([program], { ...options, stubs })));
  const isShared = (name: string) => needed.filter((names) => names.includes(name)).length > 1;
  const libraryPaths = (names: readonly string[]) => names.map((name) => join(tree, 'lib', name));
  const rows = programs.map((program, index) => {
    const own = (needed[index] ?? []).filter((name) => !isShared(name));
    const name = own.length > 0 ? `${basename(program)} with ${own.length} libraries` : basename(program);
    return { name, paths: [join(tree, 'bin', basename(program)), ...libraryPaths(own)] };
  });
  const shared = [...new Set(needed.flat().filter(isShared))];
  rows.push({ name: 'C library', paths: libraryPaths(shared) });
  rows.push({ name: 'agent', paths: [join(tree, 'lib/agent.js')] });
  return Promise.all(rows.map(async ({ name, paths }) => ({ name, bytes: await compressedBytes(paths) })));
}

async function compressedBytes(paths: readonly string[]): Promise<number> {
  const content = Buffer.concat(await Promise.all(paths.map((path) => readFile(path))));
  return (await promisify(zstdCompress)(content)).length;
}
