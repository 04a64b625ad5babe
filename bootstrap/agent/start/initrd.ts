import { runOrFail } from '../command.ts';
import type { Host } from '../host.ts';
import type { KexecPhase } from '../phases.ts';
import { encodeCpio } from './cpio.ts';
import { formatSessionFile, type SessionFile } from './session-file.ts';

/** Zeros up to a multiple of 4, as cpio wants, then the second file at the end of the first; the second goes. */
const append =
  'n=$(($(stat -c %s "$0") % 4)); [ $n = 0 ] || head -c $((4 - n)) /dev/zero >>"$0"; cat "$1" >>"$0" && rm "$1"';

/**
 * One initrd of all, in place: there is no second copy of any of them. Our own stage also gets the boot session, so
 * that the new system can tell the server that it is up.
 * @param root the folder that the phase's paths are in
 * @returns its path; undefined when the kernel has none
 * @throws Fault `KEXEC_LOAD_FAILED`
 */
export function joinInitrds(
  host: Host,
  phase: KexecPhase,
  { root, session }: { readonly root: string; readonly session: SessionFile },
): string | undefined {
  const [first, ...others] = phase.initrds.map((path) => `${root}/${path}`);
  if (first === undefined) return undefined;
  for (const other of others) join(host, first, other);
  if (phase.takesSession) {
    const path = `${root}/session.cpio`;
    const file = { path: 'run/boottorrent/session', text: formatSessionFile(session) };
    host.writeBytes(path, encodeCpio([{ path: 'run' }, { path: 'run/boottorrent' }, file]));
    join(host, first, path);
  }
  return first;
}

function join(host: Host, first: string, second: string): void {
  runOrFail(host, ['sh', '-c', append, first, second], { code: 'KEXEC_LOAD_FAILED', purpose: 'join the initrds' });
}
