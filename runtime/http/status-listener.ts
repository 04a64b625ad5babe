import { type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import { type BootReport, parseReport, reportLimitBytes } from '#bundle/boot-report.ts';
import { type Mac, parseMac } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { NodeAnswer, NodesAnswer, Status } from '../dashboard/view.ts';
import { serverLimits } from './limits.ts';

export interface StatusAnswers {
  status(): Status;
  nodes(): NodesAnswer;
  /** Undefined: no node of that address was ever seen. */
  node(mac: Mac): NodeAnswer | undefined;
  /** Prometheus text. */
  metrics(): Promise<{ readonly type: string; readonly text: string }>;
  page(): string;
  /** Calls back, at most once a second, after something has changed; returns how to end that. */
  subscribe(changed: () => void): () => void;
  /** Present on the control socket only. */
  report?(report: BootReport): void;
}

/** At most so many pages are kept up to date at once. */
const subscriberLimit = 64;
/** Without inline styles and scripts of others, frames, or anything from another place. */
const policy =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'";

/** The listener for people and scrapers: read-only, but for the report on the control socket. */
export function statusListener(answers: StatusAnswers): FastifyInstance {
  const app = fastify({ ...serverLimits, bodyLimit: reportLimitBytes, exposeHeadRoutes: false });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.setNotFoundHandler((_request, reply) => reply.code(404).type('text/plain').send('Not found\n'));
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
  });
  app.get('/', (_request, reply) => {
    reply.type('text/html; charset=utf-8').header('content-security-policy', policy).send(answers.page());
  });
  app.get('/v1/status', (_request, reply) => reply.send(answers.status()));
  app.get('/v1/nodes', (_request, reply) => reply.send(answers.nodes()));
  app.get('/v1/nodes/:mac', (request, reply) => sendNode(request.params as { mac: string }, { reply, answers }));
  app.get('/healthz', (_request, reply) => reply.type('text/plain').send('alive\n'));
  app.get('/readyz', (_request, reply) => {
    const { ready, notReady } = answers.status();
    reply.code(ready ? 200 : 503).type('text/plain');
    return reply.send(ready ? 'serving a verified catalog\n' : `${notReady}\n`);
  });
  app.get('/metrics', async (_request, reply) => {
    const { type, text } = await answers.metrics();
    return reply.type(type).send(text);
  });
  streamEvents(app, answers);
  const { report } = answers;
  if (report) {
    app.post('/v1/report', (request, reply) => {
      try {
        report(parseReport(String(request.body ?? '')));
        reply.code(204).send();
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        reply.code(400).type('text/plain').send(`${error.message} [${error.code}]\n`);
      }
    });
  }
  return app;
}

function sendNode({ mac }: { mac: string }, { reply, answers }: { reply: FastifyReply; answers: StatusAnswers }) {
  const refuse = (code: number, message: string) => reply.code(code).type('text/plain').send(`${message}\n`);
  try {
    const answer = answers.node(parseMac(mac));
    return answer ? reply.send(answer) : refuse(404, 'No node of that address was seen');
  } catch (error) {
    if (error instanceof Fault) return refuse(400, `${error.message} [${error.code}]`);
    throw error;
  }
}

/** Server-sent events: the whole status at first and after changes. A client that does not read is cut off. */
function streamEvents(app: FastifyInstance, answers: StatusAnswers): void {
  let subscribers = 0;
  app.get('/v1/events', (_request, reply) => {
    if (subscribers >= subscriberLimit) return reply.code(503).type('text/plain').send('Too many listeners\n');
    subscribers++;
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const send = () => {
      if (raw.writableLength > 4 * 1024 * 1024) raw.destroy();
      else raw.write(`event: status\ndata: ${JSON.stringify(answers.status())}\n\n`);
    };
    const unsubscribe = answers.subscribe(send);
    const beat = setInterval(() => raw.write(': alive\n\n'), 15_000);
    raw.on('close', () => {
      subscribers--;
      unsubscribe();
      clearInterval(beat);
    });
    raw.on('error', () => raw.destroy());
    send();
    return reply;
  });
}
