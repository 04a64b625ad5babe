import { relative, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { programPath } from '../program.ts';
import { type PushedRef, parsePush } from '../repo/push.ts';
import { findPlace, type PlaceFlags, withPlace } from './builder.ts';
import { openReporter, reporting } from './report.ts';

type InitFlags = PlaceFlags & { readonly branch: string; readonly directory: string; readonly json: boolean };
export type HookFlags = PlaceFlags & { readonly branch: string; readonly directory: string };

/** `boottorrent repo`: a repository of one's own, for a site without a forge. */
export function repoCommand(): Command {
  const repo = new Command('repo').description('Make a git repository that validates every push before it takes it');
  const verbs = [initCommand(), hookCommand('pre-receive'), hookCommand('post-receive')];
  for (const [index, verb] of verbs.entries()) repo.addCommand(verb.exitOverride(), { hidden: index > 0 });
  return repo;
}

function initCommand(): Command {
  return withPlace(new Command('init'))
    .description('Make a bare repository with our hooks, or make the hooks of one anew')
    .argument('<path>', 'where it is to be')
    .option('--branch <name>', 'the branch that is followed; others are taken as they come', 'main')
    .option('--directory <path>', 'where boot.config.yaml is in it', '')
    .option('--json', 'one JSON object a line on standard output', false)
    .action((path: string, flags: InitFlags) => reporting(flags, () => init(resolve(path), flags)));
}

function hookCommand(name: 'pre-receive' | 'post-receive'): Command {
  return withPlace(new Command(name))
    .description(`The hook ${name} of a repository that "repo init" made`)
    .option('--branch <name>', 'the branch that is followed', 'main')
    .option('--directory <path>', 'where boot.config.yaml is in it', '')
    .action((flags: HookFlags) => hook(name, flags));
}

async function init(path: string, flags: InitFlags): Promise<void> {
  const { initRepository } = await import('../repo/init-repository.ts');
  const { configPath, statePath } = await findPlace(flags);
  const { branch, directory } = flags;
  const place = ['--config', configPath, '--state', statePath, '--branch', branch, '--directory', directory];
  const overlay = flags.overlay === undefined ? [] : ['--overlay', resolve(flags.overlay)];
  const program = [process.execPath, ...process.execArgv, programPath];
  const isNew = await initRepository({ path, branch, program, argv: [...place, ...overlay] });
  const lines = [
    `${isNew ? 'Made' : 'Made the hooks anew in'} ${path}; branch ${branch} is validated before a push is taken`,
    `  In your clone:             git remote add site ${path} && git push site HEAD:${branch}`,
    `  In ${relative('.', configPath) || configPath}:  git: { remote: ${path}, branch: ${branch} }`,
  ];
  openReporter(flags).result('repository', { path, branch, isNew }, lines.join('\n'));
}

async function hook(name: 'pre-receive' | 'post-receive', flags: HookFlags): Promise<void> {
  // Whoever pushed has gone: nobody reads this.
  process.stderr.on('error', () => process.exit(0));
  const pushed = parsePush(await text(process.stdin)).find(({ ref }) => ref === `refs/heads/${flags.branch}`);
  if (pushed === undefined) return void process.stderr.write(`only ${flags.branch} is followed: nothing to do\n`);
  const { validatePush, followPush } = await import('./hook.ts');
  const work: Record<typeof name, (ref: PushedRef) => Promise<void>> = {
    'pre-receive': (ref) => validatePush(ref, { flags, repository: process.cwd(), environment: process.env }),
    'post-receive': (ref) => followPush(ref, flags),
  };
  await work[name](pushed);
}
