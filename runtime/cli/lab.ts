import { dirname, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { exitOnSignal } from './signal.ts';

interface LabFlags {
  readonly config: string;
  readonly state?: string;
  readonly nodes: number;
  readonly firmware: 'bios' | 'uefi';
  readonly image?: string;
  readonly memory: number;
  readonly link?: number;
  readonly statusPort: number;
  readonly once: boolean;
  readonly limit: number;
}

/** `boottorrent lab`: a whole cluster on this machine. */
export function labCommand(): Command {
  const command = new Command('lab')
    .description('Boot a cluster of diskless virtual machines in an isolated network on this machine')
    .option('--config <file>', 'the site', 'boot.config.yaml')
    .option('--state <directory>', 'state of the lab (default: .boottorrent-lab beside the file)')
    .option('--nodes <n>', 'how many machines', count, 2)
    .addOption(new Option('--firmware <kind>', 'firmware of the machines').choices(['bios', 'uefi']).default('bios'))
    .option('--image <name>', 'boot this image on all nodes, instead of what groups and menu say')
    .option('--memory <MiB>', 'memory of each machine', count, 1024)
    .option('--link <Mbit/s>', "limit the server's link", count)
    .option('--status-port <port>', 'port of the status page on 127.0.0.1', count, 8470)
    .option('--once', 'end with 0 when all nodes are up, with 1 and the reason after the limit', false)
    .option('--limit <seconds>', 'with --once: how long the nodes may take', count, 300)
    .action((flags: LabFlags) => lab(flags));
  command
    .command('reset <node>')
    .description('Press the reset button of a node of the running lab')
    .action((node: string, _: unknown, self: Command) => reset(node, self.optsWithGlobals()));
  return command;
}

async function lab(flags: LabFlags): Promise<void> {
  const { showLab } = await import('../lab/show.ts');
  const { openTerminal } = await import('../lab/terminal.ts');
  const { readExpectations } = await import('../lab/expectations.ts');
  const configPath = resolve(flags.config);
  const options = {
    ...{ configPath, statePath: statePath(flags), nodes: flags.nodes, firmware: flags.firmware, once: flags.once },
    ...{ memoryMiB: flags.memory, statusPort: flags.statusPort, limitMs: flags.limit * 1000 },
    ...(flags.image !== undefined && { image: flags.image }),
    ...(flags.link !== undefined && { serverMbit: flags.link }),
    expectations: await readExpectations(dirname(configPath)),
  };
  await showLab(options, openTerminal(process.stdout), exitOnSignal());
}

async function reset(node: string, flags: Pick<LabFlags, 'config' | 'state'>): Promise<void> {
  const { nodeFolder } = await import('../lab/node.ts');
  const { qmpExecute } = await import('../lab/qmp.ts');
  const { qmpPath } = await import('../lab/machine.ts');
  await qmpExecute(qmpPath(nodeFolder(statePath(flags), node)), 'system_reset');
}

function statePath({ config, state }: Pick<LabFlags, 'config' | 'state'>): string {
  return resolve(state ?? `${dirname(resolve(config))}/.boottorrent-lab`);
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number from 1');
  return value;
}
