import type { ImageDefinition } from './image.ts';

const mebibyte = 1024 * 1024;

/** What a node must have for an image, in words: how large its files are is known only when it was built. */
export function describeNeed({ start, source, memoryBytes, heartbeatMs }: ImageDefinition): string {
  const needs = [memoryNeed({ start, memoryBytes })];
  if (start.method === 'qemu') needs.push('the part qemu');
  if ((start.method === 'switch-root' || start.method === 'exec') && start.modules !== 'none') {
    needs.push(start.modules === 'all' ? 'all kernel modules' : 'core kernel modules');
  }
  if (start.method === 'kexec' && source.kind === 'debian' && !namesKernel(source.packages)) {
    needs.push('a kernel, the suite’s usual one');
  }
  if (heartbeatMs !== undefined) needs.push(`a heartbeat within ${heartbeatMs / 1000} s`);
  return needs.join(', ');
}

/** Whether a list of packages has a kernel in it. Without one the suite's usual kernel is added. */
export function namesKernel(packages: readonly string[]): boolean {
  return packages.some((name) => name.startsWith('linux-image-'));
}

function memoryNeed({ start, memoryBytes }: Pick<ImageDefinition, 'start' | 'memoryBytes'>): string {
  const megabytes = (bytes: number) => `${Math.ceil(bytes / mebibyte)} MiB`;
  switch (start.method) {
    case 'kexec':
      return `RAM for its files as often as kexec copies them, at least ${megabytes(memoryBytes)}`;
    case 'switch-root':
    case 'exec':
      return `RAM for its files and ${megabytes(memoryBytes)}`;
    case 'qemu':
      return `RAM for its files and ${megabytes(start.memoryBytes)} for the virtual machine`;
    case 'chain':
    case 'local':
      return 'nothing: the boot script starts it';
    default:
      return start satisfies never;
  }
}
