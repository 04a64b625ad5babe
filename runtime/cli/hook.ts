import { setTimeout as sleep } from 'node:timers/promises';
import type { Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { checkHistory } from '#definition/commit-history.ts';
import { checkSignatures } from '#definition/commit-signature.ts';
import { readDefinitions } from '#definition/definitions.ts';
import { definitionsInvalid } from '#definition/faults.ts';
import { quarantineVariables, type Repository } from '#definition/git.ts';
import { loadSite } from '#definition/load-site.ts';
import { revisionFiles } from '#definition/revision-files.ts';
import { printable } from '../dashboard/node-lines.ts';
import type { Status } from '../dashboard/view.ts';
import { askSocket } from '../http/ask-socket.ts';
import { isKnown, viewPush } from '../repo/published.ts';
import { type PushedRef, pushOptions } from '../repo/push.ts';
import { controlSocketPath } from '../state-lock.ts';
import { signaturePolicy } from './admit.ts';
import { findPlace } from './builder.ts';
import type { HookFlags } from './repo.ts';
import { openReporter } from './report.ts';

const acceptOption = 'accept-history';
const lookEveryMs = 300;
/** A first build may take long; who waits for it ends this when he likes, and nothing else. */
const longestMs = 60 * 60 * 1000;

export interface HookPlace {
  readonly flags: HookFlags;
  readonly repository: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Whether a push is taken: asked by git, which still keeps the new objects apart.
 * @throws Fault `DEFINITIONS_INVALID`, `HISTORY_REWRITTEN`, `BRANCH_NEEDED`
 */
export async function validatePush(
  pushed: PushedRef,
  { flags, repository: path, environment }: HookPlace,
): Promise<void> {
  const { before, after: next } = pushed;
  if (next === undefined) {
    throw new Fault('BRANCH_NEEDED', `Cannot delete ${flags.branch}: it is the branch that is followed`, {
      hint: 'To follow another branch, set git.branch in boot.config.yaml and run "boottorrent repo init" again',
    });
  }
  const variables = quarantineVariables.flatMap((name) => (environment[name] ? [[name, environment[name]]] : []));
  const repository: Repository = { path, quarantine: Object.fromEntries(variables) };
  if (before !== undefined && !pushOptions(environment).includes(acceptOption)) {
    await checkHistory(repository, { published: before, next }).catch(explainOption);
  }
  await checkPusher(repository, { next, before, flags });
  const { overlay } = await findPlace(flags);
  const files = await revisionFiles(repository, { revision: next, folder: withSlash(flags.directory) });
  try {
    const { definitions, faults, warnings } = await readDefinitions(files, overlay);
    openReporter({ json: false }).warn(warnings);
    if (!definitions) throw definitionsInvalid(`commit ${next.slice(0, 12)}`, faults);
    say([`${definitions.site.site}: ${definitions.images.length} images, no faults`]);
  } finally {
    await files.close();
  }
}

/** The site's own file may be out of a pusher's reach; then it is the builder who looks at the signatures. */
async function checkPusher(
  repository: Repository,
  { next, before, flags }: { next: Revision; before: Revision | undefined; flags: HookFlags },
): Promise<void> {
  const place = await findPlace(flags);
  const site = await loadSite(place.configPath, place.overlay).catch(() => undefined);
  if (!site) return;
  const since = before === undefined ? {} : { published: before };
  const policy = signaturePolicy(site, place.configPath);
  await checkSignatures(repository, { policy, next, nowMs: Date.now(), ...since });
}

function explainOption(error: unknown): never {
  if (!(error instanceof Fault) || error.code !== 'HISTORY_REWRITTEN') throw error;
  throw new Fault(error.code, error.message, {
    hint: `Go back with "git revert"; or push with "-o ${acceptOption}", and have "boottorrent accept-history" run on the server`,
    retry: 'stalled',
  });
}

/** Shows who pushed what becomes of it. It only looks: to end it changes nothing. */
export async function followPush({ after: revision }: PushedRef, flags: HookFlags): Promise<void> {
  const socket = controlSocketPath((await findPlace(flags)).statePath);
  const look = async () => JSON.parse(await askSocket(socket, '/v1/status')) as Status;
  const startedMs = performance.now();
  let knownMs = startedMs;
  let last = '';
  try {
    const before = await look();
    await askSocket(socket, '/v1/poke', { body: '{}' });
    while (revision !== undefined && performance.now() - startedMs < longestMs) {
      const now = await look();
      if (isKnown(revision, now)) knownMs = performance.now();
      const view = viewPush({ revision, before, now, last, silentMs: performance.now() - knownMs });
      say(view.lines);
      if (view.end) return;
      last = view.last;
      await sleep(lookEveryMs);
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    say([notRunning(error)]);
  }
}

function notRunning({ code, message, cause }: Fault): string {
  const reason = (cause as NodeJS.ErrnoException | undefined)?.code;
  if (code !== 'RUNTIME_UNREACHABLE') return `accepted; ${message}`;
  if (reason === 'EACCES' || reason === 'EPERM') return `accepted; you may not ask the runtime: ${message}`;
  return 'accepted, runtime is not running';
}

function say(lines: readonly string[]): void {
  if (lines.length > 0) process.stderr.write(`${lines.map(printable).join('\n')}\n`);
}

function withSlash(path: string): string {
  return path === '' || path.endsWith('/') ? path : `${path}/`;
}
