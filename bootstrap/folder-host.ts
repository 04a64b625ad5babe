import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host, Terminal } from './agent/host.ts';

/**
 * The agent's view of a machine, on Node: real files in a folder, real programs. For tests of what the agent decides;
 * programs beside the agent are started under QuickJS only.
 * @param terminals what a test has for consoles
 */
export function openFolderHost(
  terminals: readonly Terminal[] = [],
): Host & { readonly lines: string[]; remove(): void } {
  const workPath = mkdtempSync(join(tmpdir(), 'boottorrent-agent-'));
  const lines: string[] = [];
  return {
    workPath,
    lines,
    remove: () => rmSync(workPath, { recursive: true }),
    readText: (path) => ifThere(() => readFileSync(path, 'utf8')),
    readBytes: (path) => ifThere(() => readFileSync(path)),
    writeText: (path, text) => writeFileSync(path, text),
    writeBytes: (path, bytes) => writeFileSync(path, bytes),
    sizeBytes: (path) => ifThere(() => statSync(path).size),
    list: (path) => ifThere(() => readdirSync(path).toSorted()) ?? [],
    run: ([program = '', ...argv]) => {
      const { status, stdout, stderr } = spawnSync(program, argv, { encoding: 'utf8' });
      return { status: status ?? 127, stdout: stdout ?? '', stderr: stderr ?? '' };
    },
    start: () => {
      throw new TypeError('start() needs QuickJS');
    },
    uptimeMs: () => Math.round(performance.now()),
    clockMs: () => Date.now(),
    sleep: () => {},
    print: (line) => lines.push(line),
    printed: () => lines,
    consoles: () => terminals.map(({ name }) => name),
    openTerminal: (name) => {
      const terminal = terminals.find((one) => one.name === name);
      if (terminal) return terminal;
      throw new TypeError(`there is no console ${name}`);
    },
  };
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
