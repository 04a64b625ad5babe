import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';

const trialMs = 10_000;
/** What every Linux kernel prints when it has unpacked its initramfs. */
const proof = 'Run /init as init process';

interface Verdict {
  readonly bootId: string;
  readonly kernel: string;
  readonly kvm: boolean;
}

/**
 * Whether KVM can be used: a device node says little, so a kernel is booted under it, for at most ten seconds. The
 * verdict is kept in `cachePath` until the host boots again or the kernel changes.
 * @param files paths of a kernel and an initramfs
 */
export async function kvmWorks(
  files: { readonly kernel: string; readonly initrd: string },
  cachePath: string,
): Promise<boolean> {
  if (!existsSync('/dev/kvm')) return false;
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const known = await readVerdict(cachePath);
  if (known?.bootId === bootId && known.kernel === files.kernel) return known.kvm;
  const kvm = await trialBoot(files);
  await writeFile(cachePath, JSON.stringify({ bootId, kernel: files.kernel, kvm } satisfies Verdict));
  return kvm;
}

async function readVerdict(path: string): Promise<Verdict | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Verdict;
  } catch {
    return undefined;
  }
}

function trialBoot({ kernel, initrd }: { readonly kernel: string; readonly initrd: string }): Promise<boolean> {
  const machine = ['-accel', 'kvm', '-cpu', 'host', '-m', '512', '-display', 'none', '-nodefaults', '-no-reboot'];
  const boot = ['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 bt.trial', '-serial', 'stdio'];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...machine, ...boot], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return new Promise((resolve) => {
    let said = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), trialMs);
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
      if (said.includes(proof)) child.kill('SIGKILL');
    });
    child.on('error', () => resolve(false));
    child.on('close', () => {
      clearTimeout(timer);
      resolve(said.includes(proof));
    });
  });
}
