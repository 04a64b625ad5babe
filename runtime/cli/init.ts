import { mkdir } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { openReporter, reporting } from './report.ts';

interface Flags {
  readonly interface?: string;
  readonly force: boolean;
  readonly json: boolean;
}

/** `boottorrent init`: a directory becomes the repository of a site. */
export function initCommand(): Command {
  return new Command('init')
    .description('Make the repository of a site: boot.config.yaml, an example image, a workflow, a key, a first commit')
    .argument('[directory]', 'empty, or with no more in it than npm install left', '.')
    .option('--interface <name>', "the network interface on the nodes' network (default: the first of this machine)")
    .option('--force', 'write what is missing into a directory that is not empty', false)
    .option('--json', 'one JSON object on standard output', false)
    .action((directory: string, flags: Flags) => reporting(flags, () => init(resolve(directory), flags)));
}

async function init(directory: string, flags: Flags): Promise<void> {
  const { checkEmpty, initSite } = await import('../init/init.ts');
  const { keyPaths, openKeyPair } = await import('#pipeline/sign.ts');
  const { formatPublicKey } = await import('#bundle/signature.ts');
  if (!flags.force) await checkEmpty(directory);
  await mkdir(directory, { recursive: true });
  const statePath = join(directory, '.boottorrent');
  const { key } = await openKeyPair(statePath);
  const publicKey = formatPublicKey(key.publicKey);
  const { force } = flags;
  const made = await initSite({ directory, publicKey, force, interface: flags.interface ?? firstInterface() });
  const secretKeyPath = keyPaths(statePath).secret;
  const fields = { directory, ...made, publicKey, secretKeyPath };
  openReporter(flags).result('initialized', fields, sentences(fields).join('\n'));
}

/** Its name is a guess that a person looks at: the site says it in its first lines. */
function firstInterface(): string {
  const found = Object.entries(networkInterfaces()).filter(([, addresses]) => addresses?.some((one) => !one.internal));
  return found[0]?.[0] ?? 'eth0';
}

function sentences(made: {
  readonly directory: string;
  readonly name: string;
  readonly written: readonly string[];
  readonly isCommitted: boolean;
  readonly secretName?: string;
  readonly secretKeyPath: string;
}): readonly string[] {
  const { directory, name, written, isCommitted, secretName, secretKeyPath } = made;
  return [
    `Made the site "${name}" in ${directory}: ${written.join(' ')}`,
    isCommitted ? 'The first commit is made.' : 'Commit it: there was a repository already.',
    `The secret key is ${secretKeyPath}, which git ignores. Keep a copy in a safe place.`,
    ...(secretName === undefined ? [] : [`For the workflow: gh secret set ${secretName} < ${secretKeyPath}`]),
    'Next: look at network in boot.config.yaml, then npx boottorrent validate. README.md has the rest.',
  ];
}
