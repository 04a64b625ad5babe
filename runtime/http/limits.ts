import type { FastifyReply, FastifyServerOptions } from 'fastify';

/** Bounds on what a client may hold: time for its request, length of its URL and headers, idle connections. */
export const serverLimits = {
  requestTimeout: 10_000,
  connectionTimeout: 0,
  keepAliveTimeout: 5000,
  maxRequestsPerSocket: 10_000,
  forceCloseConnections: true,
  return503OnClosing: false,
  routerOptions: { maxParamLength: 200 },
  logger: false,
} as const satisfies FastifyServerOptions;

/** At most so many open connections on one listener. */
export const connectionLimit = 8192;

export function closeWith(reply: FastifyReply, text: string): FastifyReply {
  return reply.header('connection', 'close').type('text/plain').send(text);
}
