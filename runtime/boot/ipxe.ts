import type { Digest, Mac } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { checkCmdline } from './cmdline.ts';
import type { Firmware } from './firmware.ts';

/** A file that iPXE loads: `name` is what `initrd=` refers to, one path segment. */
export interface ScriptFile {
  readonly name: string;
  readonly url: string;
}

/** What a person at the node may do instead, once a key was pressed while the script waits. */
export interface Ways {
  readonly firmware: Firmware;
  /** Whether the site lets a person leave for a shell. */
  readonly shell: boolean;
}

/** What the boot script of one node does. `scriptUrl` is the script's own address: every retry asks for a fresh one. */
export type Script =
  | (Ways & {
      readonly kind: 'boot';
      readonly scriptUrl: string;
      /** One line for the screen, `debian@0123456789ab`. */
      readonly title: string;
      readonly kernel: ScriptFile;
      readonly initrds: readonly ScriptFile[];
      readonly cmdline: string;
    })
  /** Hand over to another network boot program; `local`: to the local disk. When that fails, the script is asked for again. */
  | (Ways & {
      readonly kind: 'chain';
      readonly scriptUrl: string;
      readonly title: string;
      readonly nbp: string;
      /** What the program is given. */
      readonly cmdline: string;
    })
  | (Ways & { readonly kind: 'local'; readonly scriptUrl: string; readonly title: string })
  | (Ways & {
      readonly kind: 'waiting';
      readonly scriptUrl: string;
      /** One line for the screen, `building, 1 of 2`. */
      readonly reason: string;
      readonly pauseSeconds: number;
    });

/** The address of a node's boot script; it carries all that decides what the script says. */
export function scriptUrl(server: string, mac: Mac, firmware: Firmware): string {
  return `${server}${scriptPath(mac, firmware)}`;
}

/** The path part of {@link scriptUrl}: `/boot/52-54-00-aa-bb-cc/bios.ipxe`. */
export function scriptPath(mac: Mac, firmware: Firmware): string {
  return `/boot/${mac.replaceAll(':', '-')}/${firmware}.ipxe`;
}

/** The address of a file of a served bundle. */
export function blobUrl(server: { readonly url: string }, digest: Digest, name: string): string {
  return `${server.url}/blob/${digest}/${name}`;
}

/**
 * The boot script as text.
 * @throws Fault `CMDLINE_INVALID` | `CMDLINE_TOO_LONG`, TypeError for a URL or name that is none
 */
export function script(what: Script): string {
  const lines = ['#!ipxe', ...linesOf(what), ...waitAndRetry(what), ''];
  return lines.join('\n');
}

function linesOf(what: Script): readonly string[] {
  switch (what.kind) {
    case 'boot':
      return bootLines(what);
    case 'chain':
      return chainLines(what);
    case 'local':
      return localLines(what);
    case 'waiting':
      return waitingLines(what);
    default:
      return what satisfies never;
  }
}

/**
 * The answer to `autoexec.ipxe`, which UEFI iPXE asks by TFTP before it does DHCP of its own. The lease of the
 * firmware is known then, but the interface is closed: without `ifopen` every chain fails ("Network unreachable").
 * Measured: the script is asked for 6 s earlier than without this file. snponly.efi has the interface that booted as
 * its only one, net0. Where that fails, iPXE's own DHCP gives the script's address as `filename`.
 */
export function autoexecScript(server: string, firmware: Firmware): string {
  const url = `${checkUrl(server)}/boot/\${net0/mac:hexhyp}/${firmware}.ipxe`;
  return [
    '#!ipxe',
    `ifopen net0 && chain --replace --autofree ${url} ||`,
    ':again',
    `dhcp && chain --replace --autofree \${filename} ||`,
    'echo BootTorrent: cannot load the boot script, trying again in 5 s',
    'sleep 5',
    'goto again',
    '',
  ].join('\n');
}

function bootLines(boot: Extract<Script, { kind: 'boot' }>): readonly string[] {
  // A UEFI kernel finds an initrd by the name in `initrd=`; on BIOS iPXE hands over all, and Linux ignores the word.
  const names = boot.initrds.map((initrd) => `initrd=${checkName(initrd.name)}`);
  const words = [...names, ...cmdlineWords(boot.cmdline)].join(' ');
  return [
    // Ctrl-C ends a transfer, which costs nothing; to wait for a key would cost every boot its seconds.
    `echo BootTorrent: loading ${line(boot.title)} (Ctrl-C for other ways)`,
    'imgfree',
    `kernel --name ${checkName(boot.kernel.name)} ${checkUrl(boot.kernel.url)} ${words} || goto failed`,
    ...boot.initrds.map((initrd) => `initrd --name ${initrd.name} ${checkUrl(initrd.url)} || goto failed`),
    'boot || goto failed',
    ':failed',
    `echo BootTorrent: cannot load ${line(boot.title)}: \${errno}`,
  ];
}

/** The program runs in iPXE's place, and comes back only when it gives up. */
function chainLines(chain: Extract<Script, { kind: 'chain' }>): readonly string[] {
  const words = [checkUrl(chain.nbp), ...cmdlineWords(chain.cmdline)].join(' ');
  return [
    `echo BootTorrent: handing over to ${line(chain.title)} (Ctrl-C for other ways)`,
    'imgfree',
    `chain --autofree ${words} || goto failed`,
    `echo BootTorrent: ${line(chain.title)} has given up`,
    'goto retry',
    ':failed',
    `echo BootTorrent: cannot start ${line(chain.title)}: \${errno}`,
    ':retry',
  ];
}

function localLines(local: Extract<Script, { kind: 'local' }>): readonly string[] {
  return [
    `echo BootTorrent: ${line(local.title)}: starting the local disk`,
    `${localCommand(local.firmware)} || goto failed`,
    ':failed',
    `echo BootTorrent: cannot start the local disk: \${errno}`,
  ];
}

/**
 * On BIOS the first disk's boot sector. UEFI has a list of what to boot: an error status makes it take the next entry,
 * while after a success it may show its own menu (UEFI specification 2.10 §3.1, "Boot Manager Programming").
 */
function localCommand(firmware: Firmware): string {
  return firmware === 'bios' ? 'sanboot --no-describe --drive 0x80' : 'exit 1';
}

function waitingLines(waiting: Extract<Script, { kind: 'waiting' }>): readonly string[] {
  return [
    `echo BootTorrent: ${line(waiting.reason)}`,
    'set bt-pause 1',
    `prompt --timeout ${Math.max(1, Math.round(waiting.pauseSeconds))}000 ${anyKey} && goto ways ||`,
    `chain --replace --autofree ${checkUrl(waiting.scriptUrl)} ||`,
    `echo BootTorrent: cannot load the boot script: \${errno}`,
  ];
}

const anyKey = 'BootTorrent: press a key for other ways';

/**
 * Asks for the script again with growing pauses (settings outlive a script that is replaced); a key that is pressed
 * meanwhile leads to the other ways. `prompt` fails when its time is over.
 */
function waitAndRetry({ scriptUrl, firmware, shell }: Script): readonly string[] {
  const again = `chain --replace --autofree ${checkUrl(scriptUrl)} || goto again`;
  return [
    `isset \${bt-pause} || set bt-pause 1`,
    ':again',
    `echo BootTorrent: trying again in \${bt-pause} s`,
    `prompt --timeout \${bt-pause}000 ${anyKey} && goto ways ||`,
    ...[16, 8, 4, 2, 1].map((pause) => `iseq \${bt-pause} ${pause} && set bt-pause ${Math.min(30, 2 * pause)} ||`),
    ':retry-now',
    again,
    ':ways',
    'menu BootTorrent',
    'item --key r retry-now Try again (r)',
    'item --key l local-disk Start the local disk (l)',
    ...(shell ? ['item --key s shell-now Shell (s)'] : []),
    `choose --timeout 60000 --default retry-now bt-way && goto \${bt-way} || goto retry-now`,
    ':local-disk',
    `${localCommand(firmware)} || goto again`,
    ...(shell ? [':shell-now', 'shell || goto again'] : []),
    'goto again',
  ];
}

/**
 * iPXE has no quotes and no escapes: it splits at white space, takes the words `||`, `&&` and `;` and a leading `#` for
 * itself, and only then expands `${name}`. So a word of that kind is saved by an empty expansion before it; a `${` in
 * the text cannot be saved, because what is expanded is expanded again.
 */
function cmdlineWords(cmdline: string): readonly string[] {
  checkCmdline(cmdline);
  if (cmdline.includes(`\${`)) {
    throw new Fault('CMDLINE_INVALID', `Cannot use the command line: iPXE would expand \${ in it`, {
      hint: `Remove \${ from bootstrap.cmdline and from the cmdline of the group`,
      retry: 'stalled',
    });
  }
  const words = cmdline.split(' ').filter((word) => word !== '');
  return words.map((word) => (isIpxeSyntax(word) ? `\${bt-empty}${word}` : word));
}

function isIpxeSyntax(word: string): boolean {
  return word === '||' || word === '&&' || word === ';' || word.startsWith('#');
}

/** Text for `echo`: one line, nothing that iPXE would take for itself. */
function line(text: string): string {
  const plain = text.replaceAll(/[^\x20-\x7e]/g, '?').replaceAll('$', '?');
  const words = plain.split(' ').filter((word) => word !== '');
  return words.map((word) => (isIpxeSyntax(word) ? `?${word.slice(1)}` : word)).join(' ');
}

function checkUrl(url: string): string {
  if (!/^http:\/\/[A-Za-z0-9.:[\]]+(\/[A-Za-z0-9._~+:/?&=%-]*)?$/.test(url)) {
    throw new TypeError(`No plain http URL: ${JSON.stringify(url)}`);
  }
  return url;
}

function checkName(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(name)) throw new TypeError(`No plain file name: ${JSON.stringify(name)}`);
  return name;
}
