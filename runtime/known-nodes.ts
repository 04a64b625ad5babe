import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Mac } from '#bundle/digest.ts';
import type { Arch } from '#bundle/manifest.ts';
import { archOf, parseFirmware } from './boot/firmware.ts';
import type { BootSession } from './boot/session.ts';

/** A node as its newest boot showed it. */
export interface KnownNode {
  readonly mac: Mac;
  readonly arch: Arch;
  /** RAM of the machine, where its agent has told it. */
  readonly memoryBytes?: number;
}

/**
 * The nodes in a runtime's database, read without disturbing the runtime. None where there is no database, or one of another version.
 * @param path the file `nodes.db`
 */
export function readKnownNodes(path: string): readonly KnownNode[] {
  if (!existsSync(path)) return [];
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const rows = database.prepare('SELECT session FROM sessions WHERE isNewest = 1 ORDER BY mac').all();
    return rows.flatMap(({ session }) => knownNode(JSON.parse(String(session)) as BootSession));
  } catch {
    return [];
  } finally {
    database.close();
  }
}

/** A firmware that nobody knows is that of a usual computer. */
function knownNode({ mac, firmware, memoryBytes }: BootSession): readonly KnownNode[] {
  const arch = firmware === undefined ? 'amd64' : (archOf(parseFirmware(firmware)) ?? 'amd64');
  return [{ mac, arch, ...(memoryBytes !== undefined && { memoryBytes }) }];
}
