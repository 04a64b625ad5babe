import { parseRevision, type Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';

/** What the daemon may ask of the builder of an installed site. Everything else the builder knows itself. */
export type BuildRequest =
  /**
   * Build a commit, or take it from the registry of the site. `acceptHistory`: the operator has accepted that it does
   * not follow on what is published.
   */
  | { readonly verb: 'publish' | 'pull'; readonly revision: Revision; readonly acceptHistory: boolean }
  | { readonly verb: 'keygen' }
  /** `inUse`: the text of the file that `gc --in-use` takes; `keep` absent: what the site says. */
  | { readonly verb: 'gc'; readonly inUse: string; readonly keep?: number; readonly dryRun: boolean };

/** Longest request in bytes: the bundles that many nodes use are named in it. */
export const requestLimitBytes = 4 * 1024 * 1024;

export function formatRequest(request: BuildRequest): string {
  return `${JSON.stringify(request)}\n`;
}

/** @throws Fault `BUILD_REQUEST_INVALID` */
export function parseRequest(text: string): BuildRequest {
  const value = parseJson(text);
  const keys = Object.keys(value).toSorted().join();
  if (value.verb === 'keygen' && keys === 'verb') return { verb: 'keygen' };
  const { verb, revision, acceptHistory } = value;
  const isPublish = (verb === 'publish' || verb === 'pull') && keys === 'acceptHistory,revision,verb';
  if (isPublish && typeof revision === 'string' && typeof acceptHistory === 'boolean') {
    return { verb, revision: parseRevision(revision), acceptHistory };
  }
  if (value.verb === 'gc' && /^dryRun,inUse,(keep,)?verb$/.test(keys)) return collection(value);
  throw invalid('expected publish or pull with a revision, keygen, or gc');
}

/**
 * The request that the arguments of one of the builder's verbs amount to. Site, state, repository and keys that they
 * name are the daemon's own: the builder takes nothing but the revision from it.
 * @param readFile for the file that `gc --in-use` names
 */
export async function requestOf(
  argv: readonly string[],
  readFile: (path: string) => Promise<string>,
): Promise<BuildRequest> {
  const [verb] = argv;
  const optionOf = (option: string) => argv[argv.indexOf(option) + 1] ?? '';
  if (verb === 'keygen') return { verb };
  if ((verb === 'publish' || verb === 'pull') && argv.includes('--revision')) {
    const acceptHistory = argv.includes('--accept-history');
    return { verb, revision: parseRevision(optionOf('--revision')), acceptHistory };
  }
  if (verb === 'gc' && argv.includes('--in-use')) {
    const keep = argv.includes('--keep') ? { keep: Number(optionOf('--keep')) } : {};
    return { verb, inUse: await readFile(optionOf('--in-use')), ...keep, dryRun: argv.includes('--dry-run') };
  }
  throw invalid(`the builder has no verb ${JSON.stringify(verb)}`);
}

function collection({ inUse, keep, dryRun }: Readonly<Record<string, unknown>>): BuildRequest {
  const isCount = keep === undefined || (Number.isSafeInteger(keep) && (keep as number) > 0);
  if (typeof inUse !== 'string' || typeof dryRun !== 'boolean' || !isCount)
    throw invalid('gc wants inUse, keep, dryRun');
  return { verb: 'gc', inUse, dryRun, ...(keep !== undefined && { keep: keep as number }) };
}

function parseJson(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw invalid('it is no JSON object');
}

function invalid(reason: string): Fault {
  const hint = 'Are runtime and builder of the same version? Run "boottorrent install" again';
  return new Fault('BUILD_REQUEST_INVALID', `Cannot take the request: ${reason}`, { hint, retry: 'stalled' });
}
