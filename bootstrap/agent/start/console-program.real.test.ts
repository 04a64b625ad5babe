import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openProcessHost } from '../../process-host.ts';
import { startProgram, startTerminal } from './console-program.ts';

/** A file in place of the machine's console: `../..` leaves /dev. */
function openHost() {
  const host = openProcessHost();
  const screen = `${host.workPath}/screen`;
  writeFileSync(screen, '');
  return { ...host, consoles: () => [`..${screen}`], screen };
}

function ended(program: { poll(): number | undefined }, host: { sleep(ms: number): void }): number | undefined {
  for (let tries = 0; tries < 100 && program.poll() === undefined; tries += 1) host.sleep(50);
  return program.poll();
}

it('startProgram() shows what the program prints, keeps its end, and gives its exit status', () => {
  const host = openHost();
  const program = startProgram(host, ['sh', '-c', 'seq 1 9999; echo "the end" >&2; exit 7']);
  expect(ended(program, host)).toBe(7);
  expect(readFileSync(host.screen, 'utf8')).toMatch(/^1\n2\n3\n[\s\S]*\n9999\nthe end\n$/);
  expect(program.output()).toHaveLength(16 * 1024);
  expect(program.output()).toMatch(/\n9999\nthe end\n$/);
  host.remove();
});

it('startProgram() does not wait for what a program left behind with its output open', () => {
  const host = openHost();
  const pidPath = `${host.workPath}/pid`;
  const program = startProgram(host, ['sh', '-c', `echo before; sleep 30 & echo $! >${pidPath}; exit 3`]);
  expect(ended(program, host)).toBe(3);
  expect(program.output()).toBe('before\n');
  execFileSync('kill', [readFileSync(pidPath, 'utf8').trim()]);
  host.remove();
});

it('startProgram() ends a program that does not want to', () => {
  const host = openHost();
  const program = startProgram(host, ['sh', '-c', 'trap "" TERM; echo here; while :; do sleep 0.1; done']);
  host.sleep(300);
  program.stop();
  expect(program.poll()).toBe(-9);
  expect(program.output()).toBe('here\n');
  host.remove();
});

it('startTerminal() gives the console to the program, and keeps its errors and what it writes to the pipe', () => {
  const host = openHost();
  const script = 'echo shown; echo wrong >&2; echo logged >"$0"';
  const program = startTerminal(host, (pipe) => ['sh', '-c', script, pipe]);
  expect(ended(program, host)).toBe(0);
  expect(readFileSync(host.screen, 'utf8')).toBe('shown\n');
  expect(program.output()).toBe('wrong\nlogged\n');
  host.remove();
});
