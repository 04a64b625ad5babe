import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { Fault } from '#bundle/fault.ts';
import { coalesce } from './coalesce.ts';
import { isGenuine } from './genuine.ts';

export interface WebhookOptions {
  readonly secret: string;
  /** Asks the repository now. */
  readonly poke: () => void;
}

/** GitHub sends at most 25 MB and says so; a push of a few commits is some 20 kB. What is larger is polled. */
const bodyLimitBytes = 1024 * 1024;
/** So many bodies are held in memory at once. */
const atOnce = 16;
const intervalMs = 2000;

/**
 * Adds `POST /hooks/git`: whoever knows the secret makes the runtime ask its repository now. Nothing else of the request counts: no
 * address, no branch, no commit is read from it.
 */
export function addWebhook(app: FastifyInstance, { secret, poke }: WebhookOptions): FastifyInstance {
  const ring = coalesce(poke, {
    intervalMs,
    nowMs: () => performance.now(),
    after: (ms, then) => void setTimeout(then, ms).unref(),
  });
  let open = 0;
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    scope.addHook('onRequest', async (_request, reply) => {
      if (open >= atOnce)
        return reply.code(503).header('connection', 'close').type('text/plain').send('Too many at once\n');
      open++;
      reply.raw.once('close', () => open--);
    });
    scope.post('/hooks/git', { bodyLimit: bodyLimitBytes }, (request, reply) => {
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      reply.type('text/plain');
      if (!isGenuine({ headers: request.headers, body, secret })) return reply.code(401).send('Wrong signature\n');
      ring();
      return reply.code(202).send('The repository is asked now\n');
    });
  });
  return app;
}

/** The secret of a file, without the newline at its end. @throws Fault `CONFIG_INVALID` */
export async function readSecret(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new Fault('CONFIG_INVALID', `Cannot read the secret of the webhook from ${path}: ${cause.code}`, {
      hint: 'Make one with "openssl rand -hex 32", readable by the runtime alone, and give the forge the same',
      retry: 'stalled',
    });
  });
  const secret = text.trim();
  if (secret.length >= 16) return secret;
  throw new Fault(
    'CONFIG_INVALID',
    `Cannot use the secret of the webhook in ${path}: it is shorter than 16 characters`,
    {
      hint: 'Make one with "openssl rand -hex 32"',
      retry: 'stalled',
    },
  );
}
