import { Fault } from '#bundle/fault.ts';
import { runOrFail } from '../command.ts';
import type { Host } from '../host.ts';
import type { SwitchRootPhase } from '../phases.ts';
import { type PersonalOptions, personalize } from './personalize.ts';
import { isProgram, mountRoot } from './root.ts';
import { formatSessionFile, type SessionFile } from './session-file.ts';

export interface SwitchRootOptions extends PersonalOptions {
  readonly kernelRelease: string;
  readonly session: SessionFile;
}

/**
 * Builds the new root, and makes it that of this node. Everything can still be undone with `undoRoot`.
 * @throws Fault `ROOT_UNMOUNTABLE`, `ROOT_UNWRITABLE`, `IMAGE_INVALID`
 */
export function loadSwitchRoot(host: Host, phase: SwitchRootPhase, options: SwitchRootOptions): void {
  const { paths } = options;
  const { run, newRoot } = paths;
  mountRoot(host, phase, { ...options, overlayBytes: phase.overlayBytes });
  // Looked up inside the new root: /sbin/init is a link there, perhaps an absolute one.
  if (!isProgram(host, '/sbin/init', paths)) {
    throw new Fault('IMAGE_INVALID', 'Cannot switch to the new root: it has no /sbin/init', {
      hint: 'Add an init to the image, for example the package systemd-sysv',
    });
  }
  host.writeText(`${run}/session`, formatSessionFile(options.session));
  // The kernel runs already: its own parameters are the bootstrap's, but init and units read the image's here.
  host.writeText(`${run}/cmdline`, `${phase.cmdline}\n`);
  const bind = ['mount', '-o', 'bind', `${run}/cmdline`, `${newRoot}/proc/cmdline`];
  runOrFail(host, bind, { code: 'ROOT_UNMOUNTABLE', purpose: 'show the command line' });
  personalize(host, options);
}
