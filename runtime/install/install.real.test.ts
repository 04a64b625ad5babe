import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { programPath } from '../program.ts';
import { writeSmallSite } from './testdata/small-site.ts';

const folder = mkdtempSync(join(tmpdir(), 'boottorrent-install-'));
const prefix = join(folder, 'root');
const units = join(prefix, 'etc/systemd/system');
let said = '';

beforeAll(() => {
  writeSmallSite(folder, { network: { interface: 'eth1', dhcp: { mode: 'proxy' } } });
  said = install('--prefix', prefix);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function install(...argv: readonly string[]): string {
  const config = ['--config', join(folder, 'boot.config.yaml')];
  return execFileSync(process.execPath, [programPath, 'install', ...config, ...argv], { encoding: 'utf8' });
}

it('install --prefix writes units that systemd finds no fault in', () => {
  const names = readdirSync(units);
  expect(names.toSorted()).toEqual([
    ...['boottorrent-build.socket', 'boottorrent-build@.service', 'boottorrent-dhcp.socket'],
    ...['boottorrent-pxe.socket', 'boottorrent-tftp.socket', 'boottorrent.service'],
  ]);
  const named = names.map((name) => join(units, name.replace('@.', '@1.')));
  const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...named], {
    encoding: 'utf8',
    // An empty last part stands for systemd's own folders.
    env: { ...process.env, SYSTEMD_UNIT_PATH: `${units}:` },
  });
  expect(stderr.split('\n').filter((line) => line.includes('boottorrent'))).toEqual([]);
  expect(said).toContain('systemctl enable --now boottorrent-build.socket boottorrent-dhcp.socket');
});

it('the daemon of the units is exposed by at most 2.5, as systemd-analyze security counts', () => {
  const argv = ['security', '--offline=true', '--no-pager', '--threshold=25', join(units, 'boottorrent.service')];
  const { status, stdout } = spawnSync('systemd-analyze', argv, { encoding: 'utf8' });
  const [, exposure] = /Overall exposure level for boottorrent\.service: ([0-9.]+)/.exec(stdout) ?? [];
  expect(Number(exposure)).toBeGreaterThan(0);
  expect(Number(exposure)).toBeLessThanOrEqual(2.5);
  expect(status).toBe(0);
});

it('the daemon may call capset: ip ends without it, and with it the runtime', () => {
  const text = readFileSync(join(units, 'boottorrent.service'), 'utf8');
  const filters = [...text.matchAll(/^SystemCallFilter=(.*)$/gm)].map((match) => match[1]);
  expect(filters).toEqual(['@system-service', '~@privileged @resources', 'capset']);
});

it('every boot socket is bound to the interface, and has the name that the runtime looks for', () => {
  for (const [name, port] of [['dhcp', 67] as const, ['pxe', 4011] as const, ['tftp', 69] as const]) {
    const text = readFileSync(join(units, `boottorrent-${name}.socket`), 'utf8');
    expect(text).toContain(`ListenDatagram=0.0.0.0:${port}\nBindToDevice=eth1\nFileDescriptorName=${name}\n`);
  }
});

it('install --key puts the secret key where only its owner can read it', () => {
  const key = join(folder, 'minisign.key');
  writeFileSync(key, 'secret\n');
  chmodSync(key, 0o644);
  install('--prefix', prefix, '--key', key);
  const path = join(prefix, 'var/lib/boottorrent-build/keys');
  const listing = execFileSync('stat', ['-c', '%a', path, join(path, 'minisign.key')], { encoding: 'utf8' });
  expect(listing).toBe('700\n600\n');
});

it('install --dry-run shows every file, and writes none', () => {
  const other = join(folder, 'other');
  expect(install('--dry-run', '--prefix', other)).toContain('==> /etc/sysusers.d/boottorrent.conf\nu boottorrent - ');
  expect(() => readdirSync(other)).toThrow('ENOENT');
});
