import { expect, test } from 'vitest';
import { parseMac } from '#bundle/digest.ts';
import { autoexecScript, script, scriptUrl } from './ipxe.ts';

const url = 'http://10.20.0.1:8480/boot/52-54-00-aa-bb-cc/bios.ipxe';
const boot = {
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
sleep \${bt-pause}
iseq \${bt-pause} 16 && set bt-pause 30 ||
iseq \${bt-pause} 8 && set bt-pause 16 ||
iseq \${bt-pause} 4 && set bt-pause 8 ||
iseq \${bt-pause} 2 && set bt-pause 4 ||
iseq \${bt-pause} 1 && set bt-pause 2 ||
chain --replace --autofree ${url} || goto again
`;

test('scriptUrl() carries the MAC with dashes and the firmware', () => {
  expect(scriptUrl('http://10.20.0.1:8480', parseMac('52:54:00:AA:bb:cc'), 'bios')).toBe(url);
});

test('script() loads kernel and initrd by URL and retries from a fresh script', () => {
  expect(script(boot)).toBe(`#!ipxe
echo BootTorrent: loading debian@0123456789ab
imgfree
kernel --name vmlinuz http://10.20.0.1:8480/blob/aa/vmlinuz initrd=initrd.img bt.server=http://10.20.0.1:8480 console=ttyS0 || goto failed
initrd --name initrd.img http://10.20.0.1:8480/blob/bb/initrd.img || goto failed
boot || goto failed
:failed
echo BootTorrent: cannot load debian@0123456789ab: \${errno}
${again}`);
});

test('script() waits while nothing is published', () => {
  expect(script({ kind: 'waiting', scriptUrl: url, reason: 'building, 1 of 2', pauseSeconds: 3 })).toBe(`#!ipxe
echo BootTorrent: building, 1 of 2
set bt-pause 1
sleep 3
chain --replace --autofree ${url} ||
echo BootTorrent: cannot load the boot script: \${errno}
${again}`);
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
  const text = script({ kind: 'waiting', scriptUrl: url, reason: `a\nshell ; \${x} || #y`, pauseSeconds: 3 });
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
