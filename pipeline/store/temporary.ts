import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A name that says which process it belongs to. */
export function temporaryName(random: string, pid = process.pid): string {
  return `${pid}-${random}`;
}

/** Removes the entries of a directory whose process is gone. */
export async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (isAlive(Number.parseInt(name, 10))) continue;
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
