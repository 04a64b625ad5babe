import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AptOptions, common } from './apt-directory.ts';
import { prepareMountPoints, runInSandbox } from './sandbox.ts';
import type { ToolRoot } from './tool-root.ts';

/** A step of `run` with everything it needs. */
export type PreparedStep = { readonly network: boolean } & (
  | { readonly kind: 'shell'; readonly text: string }
  | { readonly kind: 'script'; readonly path: string; readonly bytes: Uint8Array }
);

export interface StepsOptions extends Pick<AptOptions, 'log' | 'signal'> {
  /** Seconds since 1970, told to the steps as SOURCE_DATE_EPOCH. */
  readonly epoch: number;
  readonly toolRoot: ToolRoot;
  /** With the tree as `root` in it. */
  readonly workPath: string;
}

const stepTimeoutMs = 3_600_000;

/**
 * What a package's own scripts need as root. Not among them: devices, mounts, modules, the clock, the network's settings,
 * and SYS_CHROOT, by which root leaves a root directory.
 */
const capabilities = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETFCAP',
  'SETGID',
  'SETUID',
  'NET_BIND_SERVICE',
] as const;

const script = '/run/boottorrent-step';

/**
 * Runs the steps in a tree, as root with few rights, in this order; the first that fails is the last.
 * @throws Fault `RUN_FAILED` with the last lines that the step said, `TREE_INVALID`
 */
export async function runSteps(steps: readonly PreparedStep[], options: StepsOptions): Promise<void> {
  if (steps.length === 0) return;
  const root = join(options.workPath, 'root');
  await prepareMountPoints(root);
  for (const [index, step] of steps.entries()) {
    options.log?.(`run[${index}]: ${nameOf(step)}`);
    if (step.network) await lendResolver(root);
    await runStep(step, index, options);
  }
}

async function runStep(step: PreparedStep, index: number, options: StepsOptions): Promise<void> {
  const { workPath, toolRoot, epoch } = options;
  const path = join(workPath, `step-${index}`);
  if (step.kind === 'script') {
    await writeFile(path, step.bytes);
    await chmod(path, 0o755);
  }
  const own = step.kind === 'script' ? ['--ro-bind', path, script] : [];
  const argv = step.kind === 'script' ? [script] : ['/bin/sh', '-euc', step.text];
  await runInSandbox(toolRoot, argv, {
    view: ['--bind', join(workPath, 'root'), '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/run', ...own],
    capabilities,
    network: step.network,
    env: { HOME: '/root', SOURCE_DATE_EPOCH: String(epoch) },
    timeoutMs: stepTimeoutMs,
    failure: {
      code: 'RUN_FAILED',
      message: `Cannot build the root filesystem: run[${index}] failed (${nameOf(step)})`,
      hint: step.network
        ? 'Read what it said last; steps run as root in the image, one after another'
        : 'Read what it said last; steps run as root in the image, without network unless they say network: true',
    },
    ...common(options),
  });
}

function nameOf(step: PreparedStep): string {
  const text = step.kind === 'script' ? step.path : (step.text.split('\n')[0] ?? '');
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Taken out again with everything else that belongs to one machine. */
async function lendResolver(root: string): Promise<void> {
  const path = join(root, 'etc/resolv.conf');
  await rm(path, { force: true });
  await writeFile(path, await readFile('/etc/resolv.conf').catch(() => ''), { flag: 'wx' });
}
