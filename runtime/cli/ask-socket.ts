import { request } from 'node:http';
import { Fault } from '#bundle/fault.ts';

/** The body of a GET over a unix socket. @throws Fault `RUNTIME_UNREACHABLE` */
export function askSocket(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => {
      const hint = 'Start it with "boottorrent run", or name its state directory with --state';
      reject(new Fault('RUNTIME_UNREACHABLE', `Cannot ask the runtime at ${socketPath}`, { cause, hint }));
    };
    const asking = request({ socketPath, path, timeout: 5000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(Buffer.concat(chunks).toString()));
      response.on('error', fail);
    });
    asking.on('timeout', () => asking.destroy(new Error('no answer within 5 s')));
    asking.on('error', fail);
    asking.end();
  });
}
