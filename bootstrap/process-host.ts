import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Child, Host } from './agent/host.ts';
import { openFolderHost } from './folder-host.ts';

/**
 * The agent's view of a machine, on Node, with programs beside the agent and real time: for tests that let the agent
 * download. It blocks, as under QuickJS: nothing else runs in a process that has one.
 */
export function openProcessHost(): Host & { remove(): void } {
  const host = openFolderHost();
  let count = 0;
  return {
    ...host,
    start(argv) {
      count += 1;
      return startChild(argv, `${host.workPath}/child-${count}.log`);
    },
    sleep,
    print: (line) => void writeSync(1, `${line}\n`),
  };
}

function startChild([program = '', ...argv]: readonly string[], outputPath: string): Child {
  const output = openSync(outputPath, 'w');
  const child = spawn(program, argv, { stdio: ['ignore', output, output] });
  closeSync(output);
  const { pid = 0 } = child;
  let ended: number | undefined = pid === 0 ? 127 : undefined;

  function poll(): number | undefined {
    ended ??= exitStatus(pid);
    return ended;
  }
  function stop(): void {
    for (let waitedMs = 0; poll() === undefined; waitedMs += 20) {
      if (waitedMs === 0) child.kill('SIGTERM');
      if (waitedMs === 3000) child.kill('SIGKILL');
      sleep(20);
    }
  }
  return { pid, poll, stop, output: () => readFileSync(outputPath, 'utf8') };
}

/** Node cannot reap a child while it blocks: an ended one stays as a zombie, whose status /proc tells (proc(5), field 52). */
function exitStatus(pid: number): number | undefined {
  const [, rest = ''] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
  const fields = rest.trim().split(' ');
  if (fields[0] !== 'Z') return undefined;
  const status = Number(fields[49]);
  return (status & 0x7f) === 0 ? status >> 8 : -(status & 0x7f);
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
