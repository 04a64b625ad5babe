import { request } from 'node:http';
import { Fault } from '#bundle/fault.ts';

/**
 * One HTTP exchange over a unix socket.
 * @returns the body of an answer with a 2xx status
 * @throws Fault `RUNTIME_UNREACHABLE`
 */
export function askSocket(socketPath: string, path: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => {
      const hint = 'Start it with "boottorrent run", or name its state directory with --state';
      reject(new Fault('RUNTIME_UNREACHABLE', `Cannot ask the runtime at ${socketPath}`, { cause, hint }));
    };
    const method = body === undefined ? 'GET' : 'POST';
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const exchange = request({ socketPath, path, method, headers, timeout: 5000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const { statusCode = 0 } = response;
        if (statusCode >= 200 && statusCode < 300) resolve(text);
        else fail(new Error(`it answered ${statusCode}: ${text.slice(0, 200)}`));
      });
    });
    exchange.on('timeout', () => exchange.destroy(new Error('no answer within 5 s')));
    exchange.on('error', fail);
    exchange.end(body);
  });
}
