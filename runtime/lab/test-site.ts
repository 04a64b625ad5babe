import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('../..', import.meta.url));

/** A site repository of its own for a test: this repository's definitions, in a fresh git repository. */
export interface TestSite {
  readonly path: string;
  readonly configPath: string;
  write(file: string, text: string | ((before: string) => string)): void;
  /** Commits everything; returns the revision. */
  commit(message: string): string;
  /** `git revert` of the newest commit; returns the new revision. */
  revert(): string;
  remove(): void;
}

export function makeTestSite(): TestSite {
  const path = mkdtempSync(join(tmpdir(), 'boottorrent-site-'));
  const git = (...args: string[]) => {
    const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.invalid', '-c', 'init.defaultBranch=main'];
    return execFileSync('git', ['-C', path, ...identity, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
  };
  for (const part of ['boot.config.yaml', 'images']) cpSync(join(project, part), join(path, part), { recursive: true });
  // Nobody sits at these nodes: no menu that waits for a person.
  const configPath = join(path, 'boot.config.yaml');
  writeFileSync(configPath, readFileSync(configPath, 'utf8').replace(/timeout: 10s/, 'timeout: 0s'));
  git('init', '--quiet');
  const site: TestSite = {
    path,
    configPath,
    write: (file, text) => {
      const target = join(path, file);
      if (typeof text === 'function') return writeFileSync(target, text(readFileSync(target, 'utf8')));
      execFileSync('mkdir', ['-p', dirname(target)]);
      writeFileSync(target, text);
    },
    commit: (message) => {
      git('add', '--all');
      git('commit', '--quiet', '--message', message);
      return git('rev-parse', 'HEAD');
    },
    revert: () => {
      git('revert', '--no-edit', 'HEAD');
      return git('rev-parse', 'HEAD');
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
  site.commit('site: begin');
  return site;
}
