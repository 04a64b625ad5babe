import { Fault } from '#bundle/fault.ts';

export const socketNames = ['dhcp', 'pxe', 'tftp'] as const;
/** UDP 67, 4011 and 69, by the names of `LISTEN_FDNAMES`. */
export type SocketName = (typeof socketNames)[number];

export type Descriptors = Readonly<Partial<Record<SocketName, number>>>;

/**
 * The descriptors that this process was started with, by systemd's protocol; none when it was not.
 * @param pid this process: the variables may be left from a parent
 * @throws Fault `SOCKETS_INVALID` for names or numbers that cannot be
 * @see sd_listen_fds(3)
 */
export function inheritedSockets(environment: Readonly<Record<string, string | undefined>>, pid: number): Descriptors {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = environment;
  if (LISTEN_PID === undefined || LISTEN_FDS === undefined || LISTEN_PID !== String(pid)) return {};
  const names = (LISTEN_FDNAMES ?? '').split(':');
  const isPlausible = /^[1-9][0-9]?$/.test(LISTEN_FDS) && names.length === Number(LISTEN_FDS);
  const known = names.flatMap((name, index) => (isSocketName(name) ? [[name, 3 + index] as const] : []));
  if (isPlausible && known.length === names.length && new Set(names).size === names.length) {
    return Object.fromEntries(known);
  }
  throw new Fault(
    'SOCKETS_INVALID',
    `Cannot take the sockets: LISTEN_FDS=${LISTEN_FDS} LISTEN_FDNAMES=${LISTEN_FDNAMES}`,
    {
      hint: `Name the sockets, each once: FileDescriptorName= one of ${socketNames.join(', ')}`,
      retry: 'stalled',
    },
  );
}

function isSocketName(name: string): name is SocketName {
  return socketNames.some((one) => one === name);
}
