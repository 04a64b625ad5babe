import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Fault } from '#bundle/fault.ts';
import { formatRequest, requestOf } from './request.ts';

/**
 * Has the builder of an installed site carry out a verb, and passes on what it says: one JSON object a line. The
 * builder ends its work when this process ends.
 * @param argv the verb with its arguments, of which only what {@link requestOf} says is passed on
 * @throws Fault `BUILDER_UNREACHABLE`, `BUILD_REQUEST_INVALID`
 */
export async function askBuilder(socketPath: string, argv: readonly string[], out: Writable): Promise<void> {
  const request = await requestOf(argv, (path) => readFile(path, 'utf8'));
  const socket = connect(socketPath);
  try {
    await once(socket, 'connect');
    socket.write(formatRequest(request));
    if ((await passOn(socket, out)) > 0) return;
  } catch (cause) {
    throw unreachable(`Cannot ask the builder at ${socketPath}`, cause);
  }
  throw unreachable('Cannot build: the builder ended without a word');
}

async function passOn(socket: Socket, out: Writable): Promise<number> {
  await pipeline(socket, out, { end: false });
  return socket.bytesRead;
}

function unreachable(message: string, cause?: unknown): Fault {
  const hint = 'See "systemctl status boottorrent-build.socket" and "journalctl -u \'boottorrent-build@*\'"';
  return new Fault('BUILDER_UNREACHABLE', message, { hint, cause, retry: 'failed' });
}
