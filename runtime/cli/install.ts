import { resolve } from 'node:path';
import { Command } from 'commander';
import { Fault } from '#bundle/fault.ts';
import { programPath } from '../program.ts';
import { openReporter, reporting } from './report.ts';

interface Flags {
  readonly config: string;
  readonly key?: string;
  readonly prefix?: string;
  readonly dryRun: boolean;
  readonly json: boolean;
}

/** `boottorrent install`: makes a host serve a site by systemd. */
export function installCommand(): Command {
  return new Command('install')
    .description('Install systemd units for a site: the runtime without privileges, the builder as a user of its own')
    .option('--config <file>', 'the site', 'boot.config.yaml')
    .option('--key <file>', 'minisign secret key for the builder (default: its own, made at the first start)')
    .option('--prefix <directory>', 'write below this directory, and start nothing')
    .option('--dry-run', 'only show what would be written and done', false)
    .option('--json', 'one JSON object on standard output', false)
    .action((flags: Flags) => reporting(flags, () => install(flags)));
}

async function install(flags: Flags): Promise<void> {
  const { loadSite } = await import('#definition/load-site.ts');
  const steps = await import('../install/install.ts');
  const configPath = resolve(flags.config);
  const site = await loadSite(configPath, undefined);
  const installation = steps.planInstallation(site, { configPath, nodePath: process.execPath, programPath });
  const root = resolve(flags.prefix ?? '/');
  const files = await steps.installedFiles(installation, root);
  const commands = steps.activation(installation).map((argv) => argv.join(' '));
  const isLive = flags.prefix === undefined && !flags.dryRun;
  if (isLive) await checkHost(installation);
  if (!flags.dryRun) await steps.writeInstalled(files, root);
  if (isLive) for (const argv of steps.activation(installation).slice(0, 2)) await steps.run(argv);
  if (flags.key !== undefined && !flags.dryRun) await steps.installKey(flags.key, root);
  if (isLive) for (const argv of steps.activation(installation).slice(2)) await steps.run(argv);
  const contents = flags.dryRun ? files.map(({ path, text }) => `==> ${path}\n${text}`) : files.map(({ path }) => path);
  const last = isLive
    ? ['Started: systemctl status boottorrent']
    : ['To do on the host:', ...commands.map((one) => `  ${one}`)];
  openReporter(flags).result('installed', { files, commands, isStarted: isLive }, [...contents, ...last].join('\n'));
}

async function checkHost(installation: Parameters<typeof import('../install/install.ts').checkReadable>[0]) {
  const { checkPrograms, checkReadable } = await import('../install/install.ts');
  if (process.getuid?.() !== 0) {
    throw new Fault('NOT_ROOT', 'Cannot install: this takes root', { hint: 'Use sudo, or --prefix or --dry-run' });
  }
  await checkPrograms();
  await checkReadable(installation);
}
