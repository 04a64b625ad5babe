import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { SourceBytes } from '../boot/session.ts';
import type { Status } from '../dashboard/view.ts';
import { makeAgentPrograms } from './agent-programs.ts';
import { inside } from './network.ts';
import { runCommand, tryCommand } from './run-command.ts';
import { createSwarmNetwork, type SwarmNetwork } from './swarm-network.ts';
import type { StormNodeResult, StormNodeSettings } from './swarm-storm-node.ts';

/** A room of nodes that boot one image (method kexec) from one runtime, each in a network namespace. */
export interface Storm {
  readonly imageBytes: number;
  /** Bytes that have left the server's interface. */
  serverSentBytes(): Promise<number>;
  /** What the runtime says about where a node's bytes came from. */
  sourceBytes(node: number): Promise<SourceBytes>;
  /** Switches a node on; resolves when kexec would take over. */
  boot(node: number, more?: Partial<StormNodeSettings>): Promise<StormNodeResult>;
  /** Resolves as soon as a node has said on its console that it has so much. */
  untilPercent(node: number, percent: number): Promise<void>;
  /** What a node has printed. */
  console(node: number): string;
  killRuntime(): Promise<void>;
  startRuntime(): Promise<void>;
  /** Announces get no answer any more; all else of the runtime lives. */
  killTracker(): Promise<void>;
  /** No BitTorrent into or out of a node. */
  blockPeerPorts(node: number): Promise<void>;
  setCable(node: number, state: 'up' | 'down'): Promise<void>;
  remove(): Promise<void>;
}

export interface StormOptions {
  /** Up to six characters that tell storms on one machine apart. */
  readonly id: string;
  readonly nodes: number;
  readonly imageBytes: number;
  /** Of the server's link. Those of the nodes are not limited. */
  readonly serverMbit: number;
  readonly seedBudget?: string;
}

const here = fileURLToPath(new URL('..', import.meta.url));
const peerPorts = '6881-6889';

export async function openStorm(options: StormOptions): Promise<Storm> {
  const folder = await mkdtemp(join(tmpdir(), 'bt-storm-'));
  const { id, nodes, serverMbit } = options;
  const network = await createSwarmNetwork({ id, nodes, serverMbit });
  const storm = createStorm(folder, network, options);
  try {
    await makeSite(join(folder, 'site'), options);
    await makeAgentPrograms(join(folder, 'bin'));
    await storm.startRuntime();
    // That folder holds the secret key too.
    await cp(join(folder, 'state', 'keys', 'minisign.pub'), join(folder, 'keys', 'minisign.pub'));
  } catch (error) {
    await storm.remove();
    throw error;
  }
  return storm;
}

function createStorm(folder: string, network: SwarmNetwork, { imageBytes }: StormOptions): Storm {
  const { server, nodes } = network;
  const children = new Set<ChildProcess>();
  const consoles: string[] = nodes.map(() => '');
  let runtime: ChildProcess | undefined;
  const url = `http://${server.address}:8480`;
  const namespaceOf = (node: number) => nodes[node]?.namespace ?? '';

  function start(namespace: string, argv: readonly string[]): ChildProcess {
    const [command = '', ...rest] = inside(namespace, argv);
    const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` };
    const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'], env });
    children.add(child);
    child.once('close', () => children.delete(child));
    return child;
  }

  function boot(node: number, more: Partial<StormNodeSettings> = {}): Promise<StormNodeResult> {
    const settings: StormNodeSettings = {
      ...{ server: url, mac: macOf(node), root: join(folder, `node${node}`) },
      ...{ keys: join(folder, 'keys'), bootMs: 0, ...more },
    };
    const program = join(here, 'lab', 'swarm-storm-node.ts');
    const child = start(namespaceOf(node), [process.execPath, program, JSON.stringify(settings)]);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        consoles[node] += String(chunk);
      });
    }
    return new Promise((resolve, reject) => {
      child.once('close', (status) => {
        const said = consoles[node] ?? '';
        if (status === 0) resolve(JSON.parse(said.trimEnd().split('\n').at(-1) ?? ''));
        else reject(new Error(`node ${node} ended with ${status}: ${said.slice(-2000)}`));
      });
    });
  }

  async function startRuntime(): Promise<void> {
    const paths = [join(folder, 'site', 'boot.config.yaml'), join(folder, 'state')];
    const program = [process.execPath, join(here, 'testdata', 'run.ts'), ...paths];
    runtime = start(server.namespace, ['perl', join(here, 'sockets', 'launch.pl'), 'eth0', ...program]);
    const log = createWriteStream(join(folder, 'log'), { flags: 'a' });
    for (const stream of [runtime.stdout, runtime.stderr]) stream?.pipe(log, { end: false });
    await untilReady(folder);
  }

  /** @param rules by hook */
  async function filter(
    namespace: string,
    rules: Readonly<Partial<Record<'input' | 'output', string>>>,
  ): Promise<void> {
    const chains = Object.entries(rules).map(
      ([hook, rule]) => `chain ${hook} {\ntype filter hook ${hook} priority 0\n${rule}\n}\n`,
    );
    await runCommand(['ip', 'netns', 'exec', namespace, 'nft', `table inet storm {\n${chains.join('')}}\n`]);
  }

  return {
    imageBytes,
    boot,
    startRuntime,
    console: (node) => consoles[node] ?? '',
    async serverSentBytes() {
      const path = '/sys/class/net/eth0/statistics/tx_bytes';
      return Number(await runCommand(['ip', 'netns', 'exec', server.namespace, 'cat', path]));
    },
    async sourceBytes(node) {
      const socket = join(folder, 'state', 'control.sock');
      const text = await runCommand(['curl', '-sf', '--unix-socket', socket, 'http://runtime/v1/status']);
      const status = JSON.parse(text) as Status;
      const found = status.nodes.find(({ mac }) => mac === macOf(node));
      if (!found) throw new TypeError(`the runtime knows no node ${node}`);
      return found.bytes;
    },
    async untilPercent(node, percent) {
      const done = () =>
        Math.max(-1, ...[...(consoles[node] ?? '').matchAll(/(\d+) %/g)].map((match) => Number(match[1])));
      while (done() < percent) await sleep(50);
    },
    async killRuntime() {
      const ended = new Promise((resolve) => runtime?.once('close', resolve));
      runtime?.kill('SIGKILL');
      await ended;
    },
    // By the first bytes of the request, `GET /anno`: the route is on the same port as everything else.
    killTracker: () =>
      filter(server.namespace, { input: 'tcp dport 8480 @ih,0,72 0x474554202f616e6e6f reject with tcp reset' }),
    blockPeerPorts(node) {
      const rule = `tcp dport ${peerPorts} drop`;
      return filter(namespaceOf(node), { input: rule, output: rule });
    },
    async setCable(node, state) {
      await runCommand(['ip', '-n', network.lan, 'link', 'set', `port${node + 1}`, state]);
    },
    async remove() {
      for (const child of children) child.kill('SIGKILL');
      for (const { namespace } of [server, ...nodes]) await killIn(namespace);
      await network.remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function macOf(node: number): string {
  return `52:54:00:00:07:${String(node).padStart(2, '0')}`;
}

async function makeSite(site: string, { imageBytes, seedBudget = '30s' }: StormOptions): Promise<void> {
  const folder = join(site, 'images', 'os');
  await mkdir(folder, { recursive: true });
  const network = 'network: { interface: eth0, dhcp: { mode: "off" } }';
  const config = `site: storm\n${network}\nswarm: { seedBudget: ${seedBudget} }\nmenu: { default: os }\n`;
  await writeFile(join(site, 'boot.config.yaml'), config);
  const image = 'title: OS\narch: amd64\nmethod: kexec\nsource: { files: { kernel: kernel, initrd: initrd } }\n';
  await writeFile(join(folder, 'image.yaml'), image);
  await writeFile(join(folder, 'kernel'), randomBytes(1_000_001));
  await writeFile(join(folder, 'initrd'), randomBytes(imageBytes - 1_000_001));
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.org', '-c', 'init.defaultBranch=main'];
  const git = (...argv: string[]) => execFileSync('git', ['-C', site, ...identity, ...argv], { stdio: 'pipe' });
  git('init', '-q');
  git('add', '-A');
  git('commit', '-q', '-m', 'begin');
}

/** Asked on the control socket: a question of a node would begin a boot session. */
async function untilReady(folder: string): Promise<void> {
  const socket = join(folder, 'state', 'control.sock');
  for (let tries = 0; tries < 150; tries += 1) {
    const ready = await tryCommand(['curl', '-sf', '-m', '2', '--unix-socket', socket, 'http://runtime/readyz']);
    if (ready) return;
    await sleep(200);
  }
  throw new Error(`the runtime serves nothing: ${(await readFile(join(folder, 'log'), 'utf8')).slice(-2000)}`);
}

async function killIn(namespace: string): Promise<void> {
  const pids = await runCommand(['ip', 'netns', 'pids', namespace]).catch(() => '');
  for (const pid of pids.split('\n').filter((line) => line !== '')) await tryCommand(['kill', '-9', pid]);
}
