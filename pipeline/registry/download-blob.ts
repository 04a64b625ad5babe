import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { BlobRef } from '#bundle/catalog.ts';
import { Fault } from '#bundle/fault.ts';
import { mismatch } from './mismatch.ts';
import { formatReference } from './reference.ts';
import { mayPass, type Session } from './session.ts';
import { bodyOf, discard } from './wire.ts';

/**
 * Downloads a blob into a file, by ranges where something of it is there.
 * @throws Fault `REGISTRY_DIGEST_MISMATCH`, `REGISTRY_TOO_LARGE`, those of {@link Session.ask}
 */
export async function downloadBlob(session: Session, ref: BlobRef, path: string): Promise<void> {
  const file = await open(path, 'a+');
  try {
    const wasThere = await fill(session, ref, file);
    const found = await hashOf(path);
    if (found === ref.digest) return;
    await file.truncate(0);
    if (!wasThere) throw mismatch(session, ref.digest, found);
    // What lay there may have been somebody else's part of it.
    await fill(session, ref, file);
    const again = await hashOf(path);
    if (again === ref.digest) return;
    await file.truncate(0);
    throw mismatch(session, ref.digest, again);
  } finally {
    await file.close();
  }
}

/** Brings the file to its length; whether it began with bytes that lay there. */
async function fill(session: Session, ref: BlobRef, file: FileHandle): Promise<boolean> {
  const { tries, patienceBytes } = session.limits;
  let { size: have } = await file.stat();
  if (have > ref.sizeBytes) {
    await file.truncate(0);
    have = 0;
  }
  const wasThere = have > 0;
  for (let idle = 0; have < ref.sizeBytes; ) {
    const before = have;
    await goOn(session, ref, { file, have });
    have = (await file.stat()).size;
    idle = have - before >= patienceBytes ? 0 : idle + 1;
    if (have < ref.sizeBytes && idle >= tries) throw cutOff(session, ref, have);
  }
  return wasThere;
}

/** One answer's worth of bytes; a connection that breaks in the middle only ends it. */
async function goOn(
  session: Session,
  { digest, sizeBytes }: BlobRef,
  { file, have }: { readonly file: FileHandle; readonly have: number },
): Promise<void> {
  const headers: Readonly<Record<string, string>> = have > 0 ? { range: `bytes=${have}-` } : {};
  const call = { method: 'GET', url: session.url(`blobs/sha256:${digest}`), headers } as const;
  const answer = await session.ask(call, { expect: [200, 206, 416] });
  // It has no more than is here already.
  if (answer.status === 416) return discard(answer);
  const goesOn = answer.status === 206 && answer.headers['content-range']?.startsWith(`bytes ${have}-`);
  // A server without ranges sends all of it again.
  if (!goesOn) await file.truncate(0);
  const limitBytes = sizeBytes - (goesOn ? have : 0);
  try {
    for await (const chunk of bodyOf(answer, { limits: session.limits, limitBytes })) await file.appendFile(chunk);
  } catch (error) {
    session.signal?.throwIfAborted();
    if (!mayPass(error)) throw error;
  }
}

function cutOff({ reference: { registry, repository } }: Session, ref: BlobRef, have: number): Fault {
  const what = formatReference({ registry, repository, digest: ref.digest });
  return new Fault(
    'REGISTRY_CUT_OFF',
    `Cannot get ${what}: it ends after ${have} of ${ref.sizeBytes} bytes, each time`,
    {
      hint: 'What is there is kept: the next try goes on from it. Check the network and the disk of the registry',
    },
  );
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk);
  return hash.digest('hex');
}
