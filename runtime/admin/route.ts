import type { FastifyInstance } from 'fastify';
import { Fault } from '#bundle/fault.ts';

/** One request of administration. What it takes and gives is JSON; a Fault is answered with its code and hint. */
export interface AdminRoute {
  readonly method: 'GET' | 'POST';
  readonly path: `/v1/${string}`;
  /** Bytes of a body, at most; 0: none is taken. */
  readonly bodyLimitBytes: number;
  /** @param body parsed from JSON; `{}` where there is none. Whatever is wrong in it is a Fault `USAGE`. */
  readonly answer: (body: AdminBody) => Promise<object>;
}

export type AdminBody = Readonly<Record<string, unknown>>;

/** Adds a closed table of routes to the application of the control socket. */
export function addAdminRoutes(app: FastifyInstance, routes: readonly AdminRoute[]): FastifyInstance {
  for (const { method, path, bodyLimitBytes, answer } of routes) {
    app.route({
      ...{ method, url: path, bodyLimit: Math.max(1, bodyLimitBytes) },
      handler: async (request, reply) => {
        try {
          return await reply.send(await answer(parseBody(request.body)));
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          const { code, message, hint, retry } = error;
          return reply.code(code === 'USAGE' ? 400 : 409).send({ code, message, hint, retry });
        }
      },
    });
  }
  return app;
}

/** A value of a body that is true or false. @throws Fault `USAGE` */
export function flagOf(body: AdminBody, key: string, absent: boolean): boolean {
  const value = body[key] ?? absent;
  if (typeof value === 'boolean') return value;
  throw new Fault('USAGE', `Cannot take ${key} of the request: it must be true or false`, { retry: 'stalled' });
}

/** A whole number of a body, at least `min`. @throws Fault `USAGE` */
export function numberOf(body: AdminBody, key: string, { absent, min }: { absent: number; min: number }): number {
  const value = body[key] ?? absent;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min) return value;
  throw new Fault('USAGE', `Cannot take ${key} of the request: it must be a whole number from ${min} on`, {
    retry: 'stalled',
  });
}

/** A text of a body; undefined where there is none. @throws Fault `USAGE` */
export function textOf(body: AdminBody, key: string): string | undefined {
  const value = body[key];
  if (value === undefined || typeof value === 'string') return value;
  throw new Fault('USAGE', `Cannot take ${key} of the request: it must be a text`, { retry: 'stalled' });
}

function parseBody(body: unknown): AdminBody {
  if (body === undefined || body === '') return {};
  try {
    const value: unknown = JSON.parse(String(body));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as AdminBody;
  } catch {
    // Said below.
  }
  throw new Fault('USAGE', 'Cannot read the request: its body must be one JSON object', { retry: 'stalled' });
}
