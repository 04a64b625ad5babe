import { createConnection, createServer } from 'node:net';
import { Fault } from '#bundle/fault.ts';
import type { Component } from '../component.ts';

/**
 * Makes the status listener of the runtime, which lives in a namespace and listens on a unix socket there, reachable
 * on the host's loopback. Unix sockets are the way across: they belong to the file system, not to a network.
 */
export function forwardStatus(options: { readonly port: number; readonly socketPath: string }): Component {
  return { name: 'forward', run: (signal) => forward(options, signal) };
}

async function forward({ port, socketPath }: { port: number; socketPath: string }, signal: AbortSignal): Promise<void> {
  const server = createServer((inbound) => {
    const outbound = createConnection(socketPath);
    for (const [from, to] of [
      [inbound, outbound],
      [outbound, inbound],
    ] as const) {
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
    signal.addEventListener('abort', () => inbound.destroy(), { once: true });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const hint = 'Something else listens there: end it, or give the lab another port with --status-port';
      reject(new Fault('LAB_STATUS_PORT', `Cannot listen on 127.0.0.1:${port}: ${cause.code}`, { cause, hint }));
    });
    server.listen(port, '127.0.0.1', () => {
      signal.addEventListener('abort', () => server.close(() => resolve()), { once: true });
      if (signal.aborted) server.close(() => resolve());
    });
  });
}
