import type { Host } from '../host.ts';

const unbindMs = 10_000;
/** What is in a driver's folder besides its devices. */
const controls: readonly string[] = ['bind', 'unbind', 'module', 'new_id', 'remove_id', 'uevent'];

type Say = (text: string) => void;

/**
 * Lets go all devices of these drivers, on all buses: some leave their device in a state that hangs the next kernel.
 * A driver that does not come back from that is left behind.
 */
export function unbindDrivers(host: Host, drivers: readonly string[], say: Say, root = '/sys/bus'): void {
  const folders = host.list(root).flatMap((bus) => drivers.map((driver) => `${root}/${bus}/drivers/${driver}`));
  for (const folder of folders) {
    for (const device of host.list(folder).filter((name) => isDevice(host, folder, name))) {
      say(`${device} of ${folder.slice(folder.lastIndexOf('/') + 1)}: ${unbind(host, folder, device)}`);
    }
  }
}

/** Devices are links to their own folder; attributes of the driver are files. */
function isDevice(host: Host, folder: string, name: string): boolean {
  return !controls.includes(name) && host.list(`${folder}/${name}`).length > 0;
}

function unbind(host: Host, folder: string, device: string): string {
  const child = host.start(['sh', '-c', 'printf %s "$0" >"$1"', device, `${folder}/unbind`]);
  const endMs = host.uptimeMs() + unbindMs;
  while (child.poll() === undefined) {
    // It hangs in the kernel, where no signal reaches it.
    if (host.uptimeMs() > endMs) return `does not let go within ${unbindMs / 1000} s`;
    host.sleep(50);
  }
  return child.poll() === 0 ? 'let go' : `cannot be let go: ${child.output().trim()}`;
}
