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
}

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
  };
}

/** The first one counts: the boot script writes ours before everything that a site, a group or a person adds. */
function parameter(cmdline: string, name: string): string {
  const word = cmdline.split(/\s+/).find((one) => one.startsWith(`${name}=`));
  if (word === undefined) throw invalid(`${name}= is missing`);
  return word.slice(name.length + 1);
}

function invalid(reason: string): Fault {
  return new Fault('PARAMETERS_INVALID', `Cannot read the kernel command line: ${reason}`, {
    hint: 'The boot script of the server writes these parameters; boot again',
    retry: 'stalled',
  });
}
