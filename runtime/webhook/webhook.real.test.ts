import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FastifyInstance, fastify } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { serverLimits } from '../http/limits.ts';
import { coalesce } from './coalesce.ts';
import { addWebhook, readSecret } from './webhook.ts';

const secret = "It's a Secret to Everybody";
let app: FastifyInstance;
let url = '';
let pokes = 0;

beforeEach(async () => {
  pokes = 0;
  app = addWebhook(fastify(serverLimits), { secret, poke: () => pokes++ });
  url = `${await app.listen({ host: '127.0.0.1', port: 0 })}/hooks/git`;
});
afterEach(() => app.close());

const hmac = (body: string | Buffer, key = secret) => createHmac('sha256', key).update(body).digest('hex');
const post = async (headers: Record<string, string>, body: string | Buffer<ArrayBuffer> = 'Hello, World!') =>
  (await fetch(url, { method: 'POST', headers, body })).status;

it("takes GitHub's own example", async () => {
  // docs.github.com, "Validating webhook deliveries": secret and body as above.
  const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
  expect(await post({ 'x-hub-signature-256': signature, 'content-type': 'application/json' })).toBe(202);
  expect(pokes).toBe(1);
});

it.each([
  ['Gitea', { 'x-gitea-signature': hmac('Hello, World!') }],
  ['Forgejo', { 'x-forgejo-signature': hmac('Hello, World!') }],
  ['GitLab', { 'x-gitlab-token': secret }],
])('takes what %s sends', async (_, headers) => {
  expect(await post(headers as unknown as Record<string, string>)).toBe(202);
  expect(pokes).toBe(1);
});

it('signs the bytes as they came, whatever they are', async () => {
  const body = Buffer.from([0xff, 0xfe, 0x00, 0x80]);
  expect(await post({ 'x-hub-signature-256': `sha256=${hmac(body)}` }, body)).toBe(202);
});

it.each([
  ['no signature', {}],
  ['another secret', { 'x-hub-signature-256': `sha256=${hmac('Hello, World!', 'other')}` }],
  ['another body', { 'x-hub-signature-256': `sha256=${hmac('Hello!')}` }],
  ['no algorithm', { 'x-hub-signature-256': hmac('Hello, World!') }],
  ['an empty signature', { 'x-gitea-signature': '' }],
  ['half a token', { 'x-gitlab-token': secret.slice(0, 8) }],
  ['SHA-1', { 'x-hub-signature': 'sha1=0' }],
])('takes nothing with %s', async (_, headers) => {
  expect(await post(headers as unknown as Record<string, string>)).toBe(401);
  expect(pokes).toBe(0);
});

it('reads at most 1 MiB, and no other method', async () => {
  const large = Buffer.alloc(1024 * 1024 + 1);
  expect(await post({ 'x-hub-signature-256': `sha256=${hmac(large)}` }, large).catch(() => 413)).toBe(413);
  expect((await fetch(url)).status).toBe(404);
  expect(pokes).toBe(0);
});

it('a flood is two polls: one at once, one at the end', async () => {
  const statuses = await Promise.all(Array.from({ length: 12 }, () => post({ 'x-gitlab-token': secret })));
  expect(new Set(statuses)).toEqual(new Set([202]));
  expect(pokes).toBe(1);
  await expect.poll(() => pokes, { timeout: 4000 }).toBe(2);
});

it('coalesce() acts at most once in an interval, and loses no last call', () => {
  let [nowMs, acts] = [0, 0];
  const timers: { atMs: number; then: () => void }[] = [];
  const after = (ms: number, then: () => void) => timers.push({ atMs: nowMs + ms, then });
  const ring = coalesce(() => acts++, { intervalMs: 2000, nowMs: () => nowMs, after });
  for (nowMs = 0; nowMs < 10_000; nowMs += 10) {
    for (const timer of timers.splice(0)) timer.atMs <= nowMs ? timer.then() : timers.push(timer);
    ring();
  }
  expect(acts).toBe(5);
  expect(timers).toHaveLength(1);
});

it('readSecret() refuses a short one, and one that is not there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bt-hook-'));
  await writeFile(join(folder, 'short'), 'abc\n');
  await writeFile(join(folder, 'good'), `${secret}\n`);
  expect(await readSecret(join(folder, 'good'))).toBe(secret);
  for (const name of ['short', 'none']) {
    await expect(readSecret(join(folder, name))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  }
  await rm(folder, { recursive: true });
});
