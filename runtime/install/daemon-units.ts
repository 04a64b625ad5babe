import { type Installation, type InstalledFile, layout } from './layout.ts';
import { formatUnit, quoteArgument, type Section } from './unit.ts';

/** The runtime and its sockets: no root, no key, no tools, nothing to write but its own state. */
export function daemonUnits(installation: Installation): readonly InstalledFile[] {
  const unit = (name: string, text: string) => ({ path: `/etc/systemd/system/${name}`, text });
  return [
    unit('boottorrent.service', daemonService(installation)),
    ...installation.sockets.map((socket) => unit(socketUnit(socket.name), bootSocket(installation, socket))),
  ];
}

export function socketUnit(name: string): string {
  return `boottorrent-${name}.socket`;
}

function daemonService(installation: Installation): string {
  const sockets = installation.sockets.map(({ name }) => socketUnit(name)).join(' ');
  return formatUnit('The runtime of a BootTorrent site', {
    Unit: {
      Description: 'BootTorrent: network boot from a git repository',
      Requires: sockets,
      Wants: 'boottorrent-build.socket network-online.target',
      After: `${sockets} boottorrent-build.socket network-online.target`,
    },
    Service: { ...daemonProcess(installation), ...sandbox },
    Install: { WantedBy: 'multi-user.target' },
  });
}

function daemonProcess({ nodePath, programPath, configPath }: Installation): Section {
  const state = [
    '--state',
    layout.daemonState,
    '--store',
    layout.builderStore,
    '--builder-socket',
    layout.builderSocket,
  ];
  const argv = [nodePath, programPath, 'run', '--config', configPath, ...state];
  return {
    Type: 'notify',
    // The messages come from a child: Node has no datagram sockets of the unix family.
    NotifyAccess: 'all',
    ExecStart: argv.map(quoteArgument).join(' '),
    User: layout.daemonUser,
    Group: layout.daemonUser,
    StateDirectory: 'boottorrent',
    StateDirectoryMode: '0700',
    WatchdogSec: 30,
    TimeoutStartSec: 120,
    TimeoutStopSec: 15,
    Restart: 'always',
    RestartSec: 1,
    // Wrong usage or configuration, which a person must mend.
    RestartPreventExitStatus: 2,
    LimitNOFILE: 65_536,
    UMask: '0077',
  };
}

/** Not here: MemoryDenyWriteExecute=, because Node compiles while it runs; PrivateNetwork= and IPAddressDeny=, because it serves. */
const sandbox: Section = {
  NoNewPrivileges: 'yes',
  CapabilityBoundingSet: '',
  AmbientCapabilities: '',
  ProtectSystem: 'strict',
  ProtectHome: 'yes',
  PrivateTmp: 'yes',
  PrivateDevices: 'yes',
  PrivateUsers: 'yes',
  PrivateIPC: 'yes',
  DevicePolicy: 'closed',
  ProtectClock: 'yes',
  ProtectControlGroups: 'yes',
  ProtectHostname: 'yes',
  ProtectKernelLogs: 'yes',
  ProtectKernelModules: 'yes',
  ProtectKernelTunables: 'yes',
  ProtectProc: 'invisible',
  ProcSubset: 'pid',
  RemoveIPC: 'yes',
  KeyringMode: 'private',
  LockPersonality: 'yes',
  RestrictAddressFamilies: 'AF_INET AF_INET6 AF_NETLINK AF_UNIX',
  RestrictNamespaces: 'yes',
  RestrictRealtime: 'yes',
  RestrictSUIDSGID: 'yes',
  SystemCallArchitectures: 'native',
  // `ip` ends when it cannot give up the capabilities that it does not have.
  SystemCallFilter: ['@system-service', '~@privileged @resources', 'capset'],
  SystemCallErrorNumber: 'EPERM',
};

/** Bound to the interface by systemd: Node cannot, and an unbound socket would answer on every network of the host. */
function bootSocket(installation: Installation, { name, port }: Installation['sockets'][number]): string {
  return formatUnit(`UDP ${port} of a BootTorrent site`, {
    Unit: { Description: `BootTorrent: UDP ${port} (${name}) on ${installation.interface}` },
    Socket: {
      ListenDatagram: `0.0.0.0:${port}`,
      BindToDevice: installation.interface,
      FileDescriptorName: name,
      Broadcast: 'yes',
      Service: 'boottorrent.service',
    },
    Install: { WantedBy: 'sockets.target' },
  });
}
