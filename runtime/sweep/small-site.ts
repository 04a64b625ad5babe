import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A site of one small image, with a state directory of its own: what a sweep breaks again and again. */
export interface SmallSite {
  readonly folder: string;
  readonly repository: string;
  readonly statePath: string;
  readonly storePath: string;
  /** The builder's command line for a verb. */
  builder(verb: 'publish' | 'keygen'): readonly string[];
  /** Runs the builder to its end. @throws Error with what it said */
  run(verb: 'publish' | 'keygen'): void;
  write(file: string, content: string | Uint8Array): void;
  git(...argv: string[]): string;
  /** Commits everything; returns the revision. */
  commit(message: string): string;
  remove(): void;
}

const builderProgram = fileURLToPath(new URL('../testdata/builder.ts', import.meta.url));
const config = `site: sweep
network:
  interface: eth1
  dhcp: { mode: full, range: [10.88.0.100, 10.88.0.150], lease: 1h }
git: { poll: 1h }
menu: { default: tiny }
`;

export function imageText(cmdline: string): string {
  const files = '{ kernel: kernel, initrd: initrd }';
  return `title: Tiny\narch: amd64\nmethod: kexec\nsource: { files: ${files} }\ncmdline: "${cmdline}"\n`;
}

/** In memory where there is such a place: a sweep waits for nothing but the disk otherwise. */
export function makeSmallSite(): SmallSite {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'bt-sweep-'));
  const [repository, statePath] = [join(folder, 'site'), join(folder, 'state')];
  const git = (...argv: string[]) => {
    const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.org', '-c', 'init.defaultBranch=main'];
    const environment = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
    const options = { encoding: 'utf8', stdio: 'pipe', env: environment } as const;
    return execFileSync('git', ['-C', repository, ...identity, ...argv], options).trim();
  };
  const write = (file: string, content: string | Uint8Array) => {
    const path = join(repository, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  };
  const commit = (message: string) => {
    git('add', '--all');
    git('commit', '--quiet', '--allow-empty', '--message', message);
    return git('rev-parse', 'HEAD');
  };
  const builder = (verb: string) => {
    const place = ['--config', join(repository, 'boot.config.yaml'), '--state', statePath, '--repository', repository];
    return [process.execPath, builderProgram, verb, ...place];
  };
  mkdirSync(repository);
  mkdirSync(statePath, { mode: 0o700 });
  git('init', '--quiet');
  write('boot.config.yaml', config);
  write('images/tiny/image.yaml', imageText('quiet'));
  write('images/tiny/kernel', Buffer.alloc(3000, 'kernel 1 '));
  write('images/tiny/initrd', Buffer.alloc(5000, 'initrd 1 '));
  commit('begin');
  return {
    ...{ folder, repository, statePath, storePath: join(statePath, 'store'), builder, write, git, commit },
    run(verb) {
      const [program = '', ...argv] = builder(verb);
      const { status, stdout, stderr } = spawnSync(program, argv, { encoding: 'utf8' });
      if (status !== 0) throw new Error(`the builder ended with ${status}: ${stdout}${stderr}`);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
