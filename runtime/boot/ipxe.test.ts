import { expect, test } from 'vitest';
import { parseMac } from '#bundle/digest.ts';
import { autoexecScript, script, scriptUrl } from './ipxe.ts';

const url = 'http://10.20.0.1:8480/boot/52-54-00-aa-bb-cc/bios.ipxe';
const ways = { firmware: 'bios', shell: false } as const;
const boot = {
  ...ways,
  kind: 'boot',
  scriptUrl: url,
  title: 'debian@0123456789ab',
  kernel: { name: 'vmlinuz', url: 'http://10.20.0.1:8480/blob/aa/vmlinuz' },
  initrds: [{ name: 'initrd.img', url: 'http://10.20.0.1:8480/blob/bb/initrd.img' }],
  cmdline: 'bt.server=http://10.20.0.1:8480 console=ttyS0',
} as const;

const again = `isset \${bt-pause} || set bt-pause 1
:again
echo BootTorrent: trying again in \${bt-pause} s
prompt --timeout \${bt-pause}000 BootTorrent: press a key for other ways && goto ways ||
iseq \${bt-pause} 16 && set bt-pause 30 ||
iseq \${bt-pause} 8 && set bt-pause 16 ||
iseq \${bt-pause} 4 && set bt-pause 8 ||
iseq \${bt-pause} 2 && set bt-pause 4 ||
iseq \${bt-pause} 1 && set bt-pause 2 ||
:retry-now
chain --replace --autofree ${url} || goto again
:ways
menu BootTorrent
item --key r retry-now Try again (r)
item --key l local-disk Start the local disk (l)
choose --timeout 60000 --default retry-now bt-way && goto \${bt-way} || goto retry-now
:local-disk
sanboot --no-describe --drive 0x80 || goto again
goto again
`;
const uefiAgain = again.replace('sanboot --no-describe --drive 0x80', 'exit 1');

test('scriptUrl() carries the MAC with dashes and the firmware', () => {
  expect(scriptUrl('http://10.20.0.1:8480', parseMac('52:54:00:AA:bb:cc'), 'bios')).toBe(url);
});

test('script() loads kernel and initrd by URL and retries from a fresh script', () => {
  expect(script(boot)).toBe(`#!ipxe
echo BootTorrent: loading debian@0123456789ab (Ctrl-C for other ways)
imgfree
kernel --name vmlinuz http://10.20.0.1:8480/blob/aa/vmlinuz initrd=initrd.img bt.server=http://10.20.0.1:8480 console=ttyS0 || goto failed
initrd --name initrd.img http://10.20.0.1:8480/blob/bb/initrd.img || goto failed
boot || goto failed
:failed
echo BootTorrent: cannot load debian@0123456789ab: \${errno}
${again}`);
});

test('script() waits while nothing is published', () => {
  expect(script({ ...ways, kind: 'waiting', scriptUrl: url, reason: 'building, 1 of 2', pauseSeconds: 3 })).toBe(`#!ipxe
echo BootTorrent: building, 1 of 2
set bt-pause 1
prompt --timeout 3000 BootTorrent: press a key for other ways && goto ways ||
chain --replace --autofree ${url} ||
echo BootTorrent: cannot load the boot script: \${errno}
${again}`);
});

test('script() hands over to another boot program, and says why where that fails', () => {
  const nbp = 'http://10.20.0.1:8480/blob/aa/grub.0';
  expect(
    script({ ...ways, kind: 'chain', scriptUrl: url, title: 'rescue@01', nbp, cmdline: 'console=ttyS0 a' }),
  ).toBe(`#!ipxe
echo BootTorrent: handing over to rescue@01 (Ctrl-C for other ways)
imgfree
chain --autofree ${nbp} console=ttyS0 a || goto failed
echo BootTorrent: rescue@01 has given up
goto retry
:failed
echo BootTorrent: cannot start rescue@01: \${errno}
:retry
${again}`);
});

test("script() starts the first disk on BIOS, and gives way to the firmware's next entry on UEFI", () => {
  const local = { ...ways, kind: 'local', scriptUrl: url, title: 'disk@01' } as const;
  const text = (command: string) => `#!ipxe
echo BootTorrent: disk@01: starting the local disk
${command} || goto failed
:failed
echo BootTorrent: cannot start the local disk: \${errno}
`;
  expect(script(local)).toBe(text('sanboot --no-describe --drive 0x80') + again);
  expect(script({ ...local, firmware: 'uefi-x64' })).toBe(text('exit 1') + uefiAgain);
});

test('script() offers a shell only where the site allows it', () => {
  const hasShell = (shell: boolean) =>
    script({ ...boot, shell })
      .split('\n')
      .includes('shell || goto again');
  expect([hasShell(true), hasShell(false)]).toEqual([true, false]);
});

test('script() keeps words of the command line that iPXE would take for itself', () => {
  const kernel = script({ ...boot, cmdline: 'a || b && c ; #d e=#f' }).split('\n')[3];
  expect(kernel).toContain(`a \${bt-empty}|| b \${bt-empty}&& c \${bt-empty}; \${bt-empty}#d e=#f || goto failed`);
});

test.each([[`a=\${net0/mac}`], ['two\nlines'], ['tab\there'], ['grün'], ['x'.repeat(2048)]])(
  'script() refuses the command line %j',
  (cmdline) => {
    expect(() => script({ ...boot, cmdline })).toThrow(expect.objectContaining({ name: 'Fault' }));
  },
);

test('script() shows hostile text as text', () => {
  const text = script({ ...ways, kind: 'waiting', scriptUrl: url, reason: `a\nshell ; \${x} || #y`, pauseSeconds: 3 });
  expect(text.split('\n')[1]).toBe('echo BootTorrent: a?shell ? ?{x} ?| ?y');
});

test('script() refuses a URL or a name that could end the line', () => {
  const kernel = { name: 'vmlinuz', url: 'http://10.20.0.1/a b' };
  expect(() => script({ ...boot, kernel })).toThrow(TypeError);
  expect(() => script({ ...boot, initrds: [{ name: 'a b', url: boot.kernel.url }] })).toThrow(TypeError);
});

test('autoexecScript() opens the interface before it chains', () => {
  expect(autoexecScript('http://10.20.0.1:8480', 'uefi-x64').split('\n').slice(0, 2)).toEqual([
    '#!ipxe',
    `ifopen net0 && chain --replace --autofree http://10.20.0.1:8480/boot/\${net0/mac:hexhyp}/uefi-x64.ipxe ||`,
  ]);
});
