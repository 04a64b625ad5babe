import { type Digest, type Mac, parseDigest, parseMac, parseSessionId, type SessionId } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';

/** What the boot script told this node on the kernel command line. Nothing of it is secret, and nothing is believed. */
export interface BootParameters {
  /** `http://10.20.0.1:8480`, without a slash at the end. */
  readonly server: string;
  readonly session: SessionId;
  /** The NIC that booted: the only one that the agent configures. */
  readonly mac: Mac;
  /** Digest of the manifest of the bootstrap that runs. */
  readonly bootstrap: Digest;
  /** `bt.break=net,load`: where the boot stops with a shell. */
  readonly breaks: readonly Breakpoint[];
  /** `bt.debug`: every program that the agent runs is on the console. */
  readonly isDebug: boolean;
}

export const breakpoints = ['net', 'ticket', 'download', 'verify', 'load', 'execute'] as const;
/** A step that a boot can stop before. */
export type Breakpoint = (typeof breakpoints)[number];

/** @param cmdline the text of /proc/cmdline @throws Fault `PARAMETERS_INVALID` */
export function parseParameters(cmdline: string): BootParameters {
  const server = parameter(cmdline, 'bt.server').replace(/\/$/, '');
  // An address literal: there is no resolver in the bootstrap.
  if (!/^http:\/\/[0-9]{1,3}(\.[0-9]{1,3}){3}(:[0-9]{1,5})?$/.test(server)) {
    throw invalid(`bt.server=${server} is not http://<IPv4 address>:<port>`);
  }
  return {
    server,
    session: parseSessionId(parameter(cmdline, 'bt.session')),
    mac: parseMac(parameter(cmdline, 'bt.mac')),
    bootstrap: parseDigest(parameter(cmdline, 'bt.bootstrap')),
    breaks: parseBreaks(cmdline),
    isDebug: wordsOf(cmdline).includes('bt.debug'),
  };
}

/** All of them count: these a person adds. Names that are none are left out. */
function parseBreaks(cmdline: string): readonly Breakpoint[] {
  const named = wordsOf(cmdline).flatMap((word) =>
    word.startsWith('bt.break=') ? word.slice('bt.break='.length).split(',') : [],
  );
  return breakpoints.filter((one) => named.includes(one));
}

function wordsOf(cmdline: string): readonly string[] {
  return cmdline.trim().split(/\s+/);
}

/** The first one counts: the boot script writes ours before everything that a site, a group or a person adds. */
function parameter(cmdline: string, name: string): string {
  const word = wordsOf(cmdline).find((one) => one.startsWith(`${name}=`));
  if (word === undefined) throw invalid(`${name}= is missing`);
  return word.slice(name.length + 1);
}

function invalid(reason: string): Fault {
  return new Fault('PARAMETERS_INVALID', `Cannot read the kernel command line: ${reason}`, {
    hint: 'The boot script of the server writes these parameters; boot again',
    retry: 'stalled',
  });
}
