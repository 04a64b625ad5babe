import { type Installation, type InstalledFile, layout } from './layout.ts';
import { formatUnit, quoteArgument } from './unit.ts';

/**
 * The builder: a user of its own, who alone can read the signing key, started for one request of the runtime and gone
 * afterwards.
 */
export function builderUnits(installation: Installation): readonly InstalledFile[] {
  return [
    { path: '/etc/systemd/system/boottorrent-build.socket', text: builderSocket() },
    { path: '/etc/systemd/system/boottorrent-build@.service', text: builderService(installation) },
  ];
}

function builderSocket(): string {
  return formatUnit('Where the runtime of a BootTorrent site asks for a build', {
    Unit: { Description: 'BootTorrent: requests to the builder' },
    Socket: {
      ListenStream: layout.builderSocket,
      SocketUser: 'root',
      SocketGroup: layout.daemonUser,
      SocketMode: '0660',
      Accept: 'yes',
      MaxConnections: 4,
    },
    Install: { WantedBy: 'sockets.target' },
  });
}

/**
 * It makes root filesystems as root of a user namespace, over subordinate ids. For that `newuidmap` must gain
 * privileges: neither NoNewPrivileges= nor anything that implies it (filters of system calls) can stand here, and
 * /proc must stay whole (ProtectKernelTunables=, ProtectProc=), or the kernel lets nobody mount another.
 */
function builderService({ nodePath, programPath, configPath }: Installation): string {
  const argv = [nodePath, programPath, 'builder', 'answer', '--config', configPath, '--state', layout.builderState];
  return formatUnit('One build of a BootTorrent site', {
    Unit: { Description: 'BootTorrent: builder', CollectMode: 'inactive-or-failed' },
    Service: {
      Type: 'exec',
      ExecStart: argv.map(quoteArgument).join(' '),
      User: layout.builderUser,
      Group: layout.builderUser,
      StandardInput: 'socket',
      StandardOutput: 'socket',
      StandardError: 'journal',
      ProtectSystem: 'strict',
      ReadWritePaths: layout.builderState,
      ProtectHome: 'yes',
      PrivateTmp: 'yes',
      TimeoutStopSec: 10,
      Nice: 10,
      IOSchedulingPriority: 7,
      // Bundles are read by the runtime; the directory above them is closed to others.
      UMask: '0022',
    },
  });
}
