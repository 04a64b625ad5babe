import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lie } from './hostile-server.ts';
import type { Lab } from './lab.ts';
import { inside } from './network.ts';
import type { LabNode } from './node.ts';
import { runCommand } from './run-command.ts';

const port = 8481;

/** A lying server between the runtime and some nodes. */
export interface Liar {
  tell(lie: Lie): void;
  /** From now on all that a node asks for by HTTP goes through the liar. */
  standBefore(node: LabNode): Promise<void>;
  close(): void;
}

/** Starts it in the server's namespace, with its files in `hostile` of the lab's state directory. It tells the truth at first. */
export function openLiar(lab: Lab): Liar {
  const folder = join(lab.statePath, 'hostile');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const tell = (lie: Lie) => writeFileSync(join(folder, 'mode'), `${lie}\n`);
  tell('none');
  const program = fileURLToPath(new URL('hostile-server.ts', import.meta.url));
  const server = [process.execPath, program, String(port), `${lab.network.address}:8480`, folder];
  const argv = inside(lab.network.server, server);
  const child = spawn(argv[0] as string, argv.slice(1), { stdio: ['ignore', 'inherit', 'inherit'] });
  return {
    tell,
    standBefore: async ({ name, mac }) => {
      const hook = 'type nat hook prerouting priority -100;';
      const redirect = `ether saddr ${mac} tcp dport 8480 redirect to :${port}`;
      const path = join(folder, `rules-${name}`);
      writeFileSync(path, `table ip liar-${name} {\n chain pre {\n ${hook}\n ${redirect}\n }\n}\n`);
      await runCommand(['ip', 'netns', 'exec', lab.network.server, 'nft', '-f', path]);
    },
    close: () => child.kill('SIGTERM'),
  };
}
