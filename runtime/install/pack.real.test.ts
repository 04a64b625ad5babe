import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleAgent } from '#bootstrap/bundle-agent.ts';
import { writeSmallSite } from './testdata/small-site.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const place = mkdtempSync(join(tmpdir(), 'boottorrent-pack-'));
const installed = join(place, 'node_modules/boottorrent');
const isWhole = process.env.BT_TEST === 'all';
let tarball = '';

beforeAll(() => {
  // What an earlier pack left must not stand for this one.
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  const said = execFileSync('npm', ['pack', '--json', '--pack-destination', place], { cwd: root, encoding: 'utf8' });
  tarball = join(place, /"filename": "([^"]+)"/.exec(said)?.[1] ?? '');
  if (isWhole) npm('install', '--prefer-offline', '--no-audit', '--no-fund', tarball);
  else unpackBesideLinks();
}, 300_000);
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** What `npm install` does, with the packages of this clone: the declared ones and no others. */
function unpackBesideLinks(): void {
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  for (const name of declared()) {
    const to = join(place, 'node_modules', name);
    mkdirSync(dirname(to), { recursive: true });
    if (existsSync(join(root, 'node_modules', name))) symlinkSync(join(root, 'node_modules', name), to);
  }
  mkdirSync(join(place, 'node_modules/.bin'));
  symlinkSync('../boottorrent/runtime/cli/boottorrent.mjs', join(place, 'node_modules/.bin/boottorrent'));
}

function declared(): readonly string[] {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  return Object.keys({ ...dependencies, ...optionalDependencies });
}

function npm(...argv: readonly string[]): string {
  return execFileSync('npm', argv, { cwd: place, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function verb(...argv: readonly string[]): string {
  const program = join(place, 'node_modules/.bin/boottorrent');
  return execFileSync(program, argv, { cwd: place, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.org'];

describe('the package that npm pack makes', () => {
  it('holds JavaScript, no TypeScript, and nothing of the tests', () => {
    const files = globSync('**/*', { cwd: installed });
    expect(files).toContain('dist/runtime/cli/main.js');
    expect(files.filter((file) => /\.ts$|testdata|\.test\./.test(file))).toEqual([]);
  });

  it('imports only files that it has and packages that it declares', () => {
    const { imports } = JSON.parse(readFileSync(join(installed, 'dist/package.json'), 'utf8'));
    const files = globSync('dist/**/*.js', { cwd: installed }).filter(
      (file) => !file.startsWith('dist/bootstrap/agent'),
    );
    expect(files.length).toBeGreaterThan(150);
    expect(files.flatMap((file) => missingImports(file, imports))).toEqual([]);
  });

  it('finds every file that a module names as lying beside it', () => {
    const named = globSync('dist/**/*.js', { cwd: installed }).flatMap((file) =>
      [...readFileSync(join(installed, file), 'utf8').matchAll(/new URL\((['"])([^'"`]+)\1, import\.meta\.url\)/g)].map(
        (match) => join(dirname(file), match[2] ?? ''),
      ),
    );
    expect(named).toContain('dist/runtime/sockets/launch.pl');
    // Programs of the lab for benchmarks, and folders that are made.
    const ofSite = named.filter((file) => !/^dist\/(runtime\/lab\/|node_modules|\.boottorrent)/.test(file));
    expect(ofSite.filter((file) => !existsSync(join(installed, file)))).toEqual([]);
  });

  it('carries the agent that a clone would bundle, so that both build the same bootstrap', async () => {
    expect(readFileSync(join(installed, 'dist/bootstrap/agent.js'), 'utf8')).toBe(await bundleAgent());
  });

  it('says --help', () => {
    expect(verb('--help')).toContain('Usage: boottorrent');
    expect(verb('publish', '--help')).toContain('Usage: boottorrent publish');
  });

  it('makes the repository of a site, which is valid and holds no secret', () => {
    const site = join(place, 'site');
    expect(verb('init', site, '--interface', 'eth1')).toContain('The first commit is made.');
    expect(verb('validate', '--config', join(site, 'boot.config.yaml'))).toContain('site: 1 images, no faults');
    const committed = execFileSync('git', ['-C', site, 'ls-files', '--stage'], { encoding: 'utf8' });
    expect(committed).toContain('boot.config.yaml');
    expect(committed).not.toContain('minisign.key');
    const [, secret = ''] = readFileSync(join(site, '.boottorrent/keys/minisign.key'), 'utf8').split('\n');
    expect(secret.length).toBeGreaterThan(100);
    expect(spawnSync('git', ['-C', site, 'grep', '--cached', '-F', secret]).status).toBe(1);
    const agent = 'images/debian/overlay/usr/local/sbin/boottorrent-node';
    expect(statSync(join(site, agent)).mode & 0o777).toBe(statSync(join(root, agent)).mode & 0o777);
  });

  it('refuses to make a site over something else', () => {
    const { status, stderr } = spawnSync(join(place, 'node_modules/.bin/boottorrent'), ['init', installed], {
      encoding: 'utf8',
    });
    expect(status).toBe(2);
    expect(stderr).toContain('DIRECTORY_NOT_EMPTY');
  });

  it.runIf(isWhole)(
    'builds the bootstrap and a site, publishes and verifies it',
    () => {
      const site = join(place, 'small');
      writeSmallSite(site);
      for (const argv of [
        ['init', '--quiet'],
        ['add', '--all'],
        [...identity, 'commit', '--quiet', '-m', 'one'],
      ]) {
        execFileSync('git', ['-C', site, ...argv]);
      }
      const config = join(site, 'boot.config.yaml');
      expect(verb('publish', '--config', config)).toContain('tiny@');
      expect(verb('verify', '--config', config)).toContain('Verified: ');
    },
    600_000,
  );
});

function missingImports(file: string, scope: Readonly<Record<string, string>>): readonly string[] {
  const text = readFileSync(join(installed, file), 'utf8');
  const statements = text.matchAll(/^(?:import|export)\b[^'";]*?\bfrom\s+["']([^"']+)["']/gm);
  const dynamic = text.matchAll(/\bimport\(["']([^"']+)["']\)/g);
  const found = [...statements, ...dynamic].map((match) => match[1] ?? '');
  return found.flatMap((from) => (resolves(file, from, scope) ? [] : `${file}: ${from}`));
}

function resolves(file: string, from: string, scope: Readonly<Record<string, string>>): boolean {
  if (isBuiltin(from)) return true;
  if (from.startsWith('.')) return existsSync(join(installed, dirname(file), from));
  const alias = Object.entries(scope).find(([key]) => from.startsWith(key.replace('*', '')));
  if (alias) return existsSync(join(installed, 'dist', alias[1].replace('*', from.slice(alias[0].length - 1))));
  const name = from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/');
  return declared().includes(name);
}
