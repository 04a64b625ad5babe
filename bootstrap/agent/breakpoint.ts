import type { Host } from './host.ts';
import type { BootParameters, Breakpoint } from './parameters.ts';
import type { Reporter } from './reporter.ts';
import { waitWatched } from './watched.ts';

/** What to look at when a boot stops before this step. */
const hints: Readonly<Record<Breakpoint, string>> = {
  net: 'Before the network. ip link; dmesg | tail -50; cat /sys/bus/pci/devices/*/uevent',
  ticket: 'Before the boot ticket. ip addr; ip route; cat /run/boottorrent-lease; date',
  download: 'Before the download. free; df /run/boottorrent; cat /work/catalog /work/manifest',
  verify: 'Downloaded, nothing verified. ls -lR /run/boottorrent/files; compare sha256sum with /work/manifest',
  load: 'Verified, not loaded. free; ls -lR /run/boottorrent/files; losetup -a; lsmod',
  execute: 'Loaded, the last moment. cat /sys/kernel/kexec_loaded; mount; ls /newroot; ip addr',
};

export type Stop = (name: Breakpoint) => void;

/** Stops where the command line says so: a shell on the console, for as long as the person wants. */
export function breakpointsOf(
  host: Host,
  { parameters, reporter }: { readonly parameters: BootParameters; readonly reporter: Reporter },
): Stop {
  return (name) => {
    if (!parameters.breaks.includes(name)) return;
    reporter.say('break', `${hints[name]}   (exit goes on)`);
    waitWatched(host, startShell(host, name), reporter.again);
    reporter.say('break', `${name}: going on`);
  };
}

/** In a session of its own, and on the terminal itself: /dev/console is nobody's controlling terminal, and Ctrl+C dead. */
function startShell(host: Host, name: Breakpoint) {
  const device = `/dev/${host.consoles().at(-1) ?? 'console'}`;
  const script = `exec <${device} >${device} 2>&1; PS1='(${name}) # ' exec sh -i`;
  return host.start(['setsid', 'sh', '-c', script]);
}
