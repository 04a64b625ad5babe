import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A folder for PATH, where a test lets the agent run on this machine. The agent calls busybox's wget: once, and with the reason for a failure. GNU's is told to do the same, since that of
 * Debian 12's busybox dies with `-T`.
 */
export async function makeAgentPrograms(folder: string): Promise<void> {
  await mkdir(folder);
  const lines = ['#!/bin/sh', 'shift', 'exec /usr/bin/wget -nv --tries=1 "$@"', ''];
  await writeFile(join(folder, 'wget'), lines.join('\n'), { mode: 0o755 });
}
