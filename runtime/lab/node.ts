import { type ChildProcess, spawn } from 'node:child_process';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mac } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { Console } from './console.ts';
import type { DirectBoot } from './direct-boot.ts';
import { type LabFirmware, machineArguments, nodeMac, qmpPath, uefiVariables } from './machine.ts';
import { createTap, inside, type LabNetwork } from './network.ts';
import { qmpExecute } from './qmp.ts';

export interface LabNodeOptions {
  /** 1, 2, … */
  readonly index: number;
  readonly network: LabNetwork;
  readonly statePath: string;
  readonly firmware: LabFirmware;
  readonly memoryMiB: number;
  readonly kvm: boolean;
  readonly direct?: (mac: Mac) => Promise<DirectBoot>;
  readonly extra?: readonly string[];
}

/** A running virtual machine of the lab. */
export interface LabNode {
  readonly name: string;
  readonly mac: Mac;
  readonly tap: string;
  readonly console: Console;
  /** When it was switched on or reset last, in milliseconds since 1970: boot sessions from before are over. */
  readonly startedAtMs: number;
  /** Resolves when QEMU is gone: the machine was switched off, or (booted directly) has rebooted. */
  readonly ended: Promise<void>;
  /** Presses the reset button: the firmware starts anew. */
  reset(): Promise<void>;
  /** Pulls the plug; resolves when QEMU is gone. */
  powerOff(): Promise<void>;
}

/** The folder of a node in the lab's state directory: console.log and QEMU's socket are in it. */
export function nodeFolder(statePath: string, name: string): string {
  return join(statePath, 'nodes', name);
}

/** Makes a tap and switches a machine on. @throws Fault `LAB_COMMAND_FAILED` */
export async function powerOn(options: LabNodeOptions): Promise<LabNode> {
  const name = `node${options.index}`;
  const tap = `tap${options.index}`;
  const mac = nodeMac(options.index);
  const folder = nodeFolder(options.statePath, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  if (options.firmware === 'uefi') await copyFile(uefiVariables, join(folder, 'uefi-variables.fd'));
  await createTap(options.network, tap);
  let startedAtMs = Date.now();
  const { direct: find, ...machine } = options;
  const direct = find && { direct: await find(mac) };
  const argv = inside(options.network.lan, machineArguments({ ...machine, ...direct, name, mac, tap, folder }));
  const child = spawn(argv[0] as string, argv.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] });
  const screen = new Console(join(folder, 'console.log'), { output: child.stdout, input: child.stdin });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await started(child, name);
  return {
    name,
    mac,
    tap,
    console: screen,
    ended,
    get startedAtMs() {
      return startedAtMs;
    },
    reset: async () => {
      screen.forget();
      startedAtMs = Date.now();
      await qmpExecute(qmpPath(folder), 'system_reset');
    },
    powerOff: () => end(child),
  };
}

/** QEMU says on standard error why it cannot start, and ends within moments. */
async function started(child: ChildProcess, name: string): Promise<void> {
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2000);
  });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, 300);
    child.once('exit', () => {
      clearTimeout(timer);
      reject(new Fault('LAB_COMMAND_FAILED', `Cannot start ${name}: ${said.trim()}`));
    });
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
