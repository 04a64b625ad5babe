import { chmod, rm } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { Fault } from '#bundle/fault.ts';
import type { Component } from '../component.ts';
import { connectionLimit } from './limits.ts';

export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** `mode` of the socket's file. */
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number };

/** Reads `host:port` or `unix:/path`. @throws Fault `CONFIG_INVALID` */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith('unix:/')) return { kind: 'unix', path: text.slice('unix:'.length), mode: 0o660 };
  const [, host, port] = /^(.+):([0-9]{1,5})$/.exec(text) ?? [];
  if (host === undefined || port === undefined || Number(port) > 65_535) {
    throw new Fault('CONFIG_INVALID', `Cannot listen on ${JSON.stringify(text)}: expected host:port or unix:/path`);
  }
  return { kind: 'tcp', host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

/** An application that listens until it is told to stop; then open connections are cut. */
export function listener(name: string, app: FastifyInstance, address: ListenAddress): Component {
  return {
    name,
    async run(signal) {
      app.server.maxConnections = connectionLimit;
      await listen(app, address);
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      await app.close();
    },
  };
}

async function listen(app: FastifyInstance, address: ListenAddress): Promise<void> {
  const shown = address.kind === 'unix' ? address.path : `${address.host}:${address.port}`;
  try {
    // A socket file outlives its process; who may run at all was settled by the lock of the state directory.
    if (address.kind === 'unix') await rm(address.path, { force: true });
    await app.listen(address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port });
    if (address.kind === 'unix') await chmod(address.path, address.mode);
  } catch (cause) {
    throw new Fault('LISTEN_FAILED', `Cannot listen on ${shown}: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
      hint: 'Does something else listen there, or is the address not on this machine?',
    });
  }
}
