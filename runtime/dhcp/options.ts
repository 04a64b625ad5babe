import { Fault } from '#bundle/fault.ts';

/** Options that this server reads or writes, by the names of RFC 2132, 3046, 4578 and the IANA registry. */
export const optionCode = {
  pad: 0,
  subnetMask: 1,
  router: 3,
  dns: 6,
  hostName: 12,
  domainName: 15,
  broadcast: 28,
  vendorSpecific: 43,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverId: 54,
  parameterList: 55,
  maxMessageSize: 57,
  renewalTime: 58,
  rebindingTime: 59,
  vendorClass: 60,
  nodeId: 61,
  tftpServer: 66,
  bootfile: 67,
  userClass: 77,
  relayAgent: 82,
  architecture: 93,
  machineId: 97,
  ipxe: 175,
  end: 255,
} as const;

export interface DhcpOption {
  readonly code: number;
  /** The whole value, joined where the packet had it in parts. */
  readonly value: Uint8Array;
}

/**
 * Reads options until the end mark or the end of the bytes; a missing end mark is accepted, many ROMs forget it.
 * Parts with one code are joined in order (RFC 3396 §7).
 * @throws Fault `DHCP_PACKET_INVALID` where an option is longer than the bytes
 */
export function decodeOptions(...areas: readonly Uint8Array[]): readonly DhcpOption[] {
  const parts = new Map<number, Uint8Array[]>();
  for (const area of areas) {
    for (const { code, value } of walk(area)) {
      const known = parts.get(code);
      if (known) known.push(value);
      else parts.set(code, [value]);
    }
  }
  return [...parts].map(([code, values]) => ({ code, value: join(values) }));
}

/**
 * Options as bytes without the end mark. A value over 255 bytes is split (RFC 3396 §5); option 82 goes last, as a relay
 * that cuts it off expects (RFC 3046 §2.2).
 */
export function encodeOptions(options: readonly DhcpOption[]): Uint8Array {
  const last = options.filter((option) => option.code === optionCode.relayAgent);
  const others = options.filter((option) => option.code !== optionCode.relayAgent);
  return join([...others, ...last].flatMap(encodeOption));
}

export function findOption(options: readonly DhcpOption[], code: number): Uint8Array | undefined {
  return options.find((option) => option.code === code)?.value;
}

function* walk(area: Uint8Array): Generator<DhcpOption> {
  let at = 0;
  while (at < area.length) {
    const code = area[at]!;
    if (code === optionCode.end) return;
    at += 1;
    if (code === optionCode.pad) continue;
    const length = area[at];
    if (length === undefined || at + 1 + length > area.length) {
      throw new Fault('DHCP_PACKET_INVALID', `Cannot read the DHCP packet: option ${code} is longer than the packet`);
    }
    yield { code, value: area.slice(at + 1, at + 1 + length) };
    at += 1 + length;
  }
}

function encodeOption({ code, value }: DhcpOption): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < value.length; at += 255) {
    const part = value.subarray(at, at + 255);
    parts.push(Uint8Array.of(code, part.length), part);
  }
  return parts;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
