import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Changes } from '../changes.ts';
import type { Component } from '../component.ts';
import type { Status } from '../dashboard/view.ts';
import { askSocket } from '../http/ask-socket.ts';
import type { Log } from '../log.ts';
import { notifyLine, statusText, watchdogMs } from './message.ts';

export interface NotifierOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** The runtime's own. */
  readonly controlSocket: string;
  /** The boot listener. */
  readonly boot: { readonly host: string; readonly port: number };
  readonly changes: Changes;
  readonly log: Log;
}

const relay = fileURLToPath(new URL('notify.pl', import.meta.url));
/** How often the status is asked where the service manager wants no sign of life. */
const intervalMs = 10_000;
const readyPollMs = 50;

/**
 * Tells a service manager that started this process when it is ready, how it is, and that it lives. Each sign of life
 * stands for an answer over the control socket: a runtime that hangs gives none, and is restarted.
 * @returns nothing where nobody wants to know
 * @see sd_notify(3)
 */
export function systemdNotifier(options: NotifierOptions): readonly Component[] {
  if (!options.environment.NOTIFY_SOCKET) return [];
  return [{ name: 'notify', run: (signal) => run(options, signal) }];
}

async function run(options: NotifierOptions, signal: AbortSignal): Promise<void> {
  const { environment, pid, changes, log } = options;
  const child = spawn('perl', [relay], { stdio: ['pipe', 'ignore', 'inherit'] });
  child.on('error', (error) => log.error({ part: 'notify' }, `cannot tell the service manager: ${error.message}`));
  child.stdin.on('error', () => {});
  const ended = once(child, 'close').catch(() => {});
  const tell = (fields: Readonly<Record<string, string>>) => void child.stdin.write(notifyLine(fields));
  while (!signal.aborted && !(await isListening(options))) await pause(readyPollMs, { signal });
  if (!signal.aborted) tell({ READY: '1', MAINPID: String(pid) });
  const everyMs = watchdogMs(environment, pid) ?? intervalMs;
  while (!signal.aborted) {
    const status = await readStatus(options);
    if (status) tell({ STATUS: statusText(status), WATCHDOG: '1' });
    await pause(everyMs, { signal, changes });
  }
  tell({ STOPPING: '1' });
  child.stdin.end();
  await ended;
}

async function isListening({ boot, controlSocket }: NotifierOptions): Promise<boolean> {
  return (await accepts(boot)) && (await accepts({ path: controlSocket }));
}

function accepts(
  address: { readonly host: string; readonly port: number } | { readonly path: string },
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.once('connect', () => socket.destroy());
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
}

async function readStatus({ controlSocket, log }: NotifierOptions): Promise<Status | undefined> {
  try {
    return JSON.parse(await askSocket(controlSocket, '/v1/status')) as Status;
  } catch (error) {
    log.error({ part: 'notify' }, `no sign of life: ${(error as Error).message}`);
    return undefined;
  }
}

/** Until the time is over, something changed, or the end. */
function pause(ms: number, { signal, changes }: { signal: AbortSignal; changes?: Changes }): Promise<void> {
  return new Promise((resolve) => {
    const unsubscribe = changes?.subscribe(over);
    const timer = setTimeout(over, ms);
    signal.addEventListener('abort', over, { once: true });
    function over(): void {
      clearTimeout(timer);
      unsubscribe?.();
      signal.removeEventListener('abort', over);
      resolve();
    }
  });
}
