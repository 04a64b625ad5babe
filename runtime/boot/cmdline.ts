import type { Digest, Mac, SessionId } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { joinCmdline } from '#bundle/selector.ts';

export interface BootstrapCmdline {
  /** `http://10.20.0.1:8480`: an IPv4 literal, because the node has no resolver yet. */
  readonly server: string;
  readonly session: SessionId;
  /** The interface that booted. */
  readonly mac: Mac;
  /** Digest of the bootstrap's manifest. */
  readonly bootstrap: Digest;
  /** The site's and the group's own parameters. */
  readonly extra: readonly (string | undefined)[];
}

/** COMMAND_LINE_SIZE of Linux on x86 and arm64 is 2048 with the NUL; what is longer is cut off silently. */
export const cmdlineLimitBytes = 2047;

/**
 * The kernel command line of the bootstrap. Our own parameters come first: a kernel that cuts a long line, or a
 * person who adds to its end in the boot loader, cannot lose them.
 * @throws Fault `CMDLINE_TOO_LONG` | `CMDLINE_INVALID`
 */
export function bootstrapCmdline(line: BootstrapCmdline): string {
  const own = `bt.server=${line.server} bt.session=${line.session} bt.mac=${line.mac} bt.bootstrap=${line.bootstrap}`;
  const text = joinCmdline(own, ...line.extra.map((part) => part?.trim()));
  checkCmdline(text);
  return text;
}

/** @throws Fault `CMDLINE_TOO_LONG` | `CMDLINE_INVALID` */
export function checkCmdline(text: string): void {
  if (!/^[\x20-\x7e]*$/.test(text)) {
    throw new Fault(
      'CMDLINE_INVALID',
      'Cannot use the command line: it holds a character that is not printable ASCII',
      {
        hint: 'Remove line breaks, tabs and non-ASCII characters from cmdline',
        retry: 'stalled',
      },
    );
  }
  if (text.length <= cmdlineLimitBytes) return;
  throw new Fault('CMDLINE_TOO_LONG', `Cannot use the command line: it has ${text.length} bytes of at most 2047`, {
    hint: 'Shorten bootstrap.cmdline or the cmdline of the group',
    retry: 'stalled',
  });
}
