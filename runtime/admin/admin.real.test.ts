import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FastifyInstance, fastify } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Fault } from '#bundle/fault.ts';
import { askSocket } from '../http/ask-socket.ts';
import { serverLimits } from '../http/limits.ts';
import { addAdminRoutes, flagOf, numberOf } from './route.ts';

let folder = '';
let path = '';
let app: FastifyInstance;
const seen: unknown[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-admin-'));
  path = join(folder, 'control.sock');
  app = fastify(serverLimits);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  addAdminRoutes(app, [
    {
      ...{ method: 'POST', path: '/v1/do', bodyLimitBytes: 64 },
      answer: async (body) => {
        seen.push({ dry: flagOf(body, 'dry', false), keep: numberOf(body, 'keep', { absent: 3, min: 1 }) });
        return { done: true };
      },
    },
    {
      ...{ method: 'POST', path: '/v1/refuse', bodyLimitBytes: 64 },
      answer: async () => {
        throw new Fault('NOT_NOW', 'Cannot do it', { hint: 'Wait', retry: 'waiting' });
      },
    },
  ]);
  await app.listen({ path });
});
afterEach(async () => {
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

it('takes a JSON object, and gives one', async () => {
  expect(await askSocket(path, '/v1/do', { body: '{"dry":true}' })).toBe('{"done":true}');
  expect(seen).toEqual([{ dry: true, keep: 3 }]);
});

it.each(['[1]', '{', '{"dry":1}', '{"keep":0}', '{"keep":1.5}', '{"keep":"3"}'])(
  'refuses the body %s',
  async (body) => {
    await expect(askSocket(path, '/v1/do', { body })).rejects.toMatchObject({ code: 'USAGE' });
  },
);

it('gives the fault of an answer to who asked, with its hint', async () => {
  const asked = askSocket(path, '/v1/refuse', { body: '{}' });
  await expect(asked).rejects.toMatchObject({
    code: 'NOT_NOW',
    message: 'Cannot do it',
    hint: 'Wait',
    retry: 'waiting',
  });
});

it('reads no body that is larger than its route takes', async () => {
  expect(await statusOf('POST', `{"dry":true}${' '.repeat(64)}`)).toBe(413);
  expect(await statusOf('GET', '')).toBe(404);
});

function statusOf(method: string, body: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath: path, path: '/v1/do', method }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asking.on('error', reject);
    asking.end(body);
  });
}
