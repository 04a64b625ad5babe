import { parseDigest, parseRevision } from '#bundle/digest.ts';
import { parseRecord } from '#bundle/record.ts';
import type { Published } from './store.ts';

/** @throws Fault `PUBLISHED_INVALID` and those of digests */
export function parsePublished(text: string): Published {
  const record = parseRecord(text, 'what is published', 'PUBLISHED_INVALID');
  return {
    catalog: parseDigest(record.string('catalog')),
    signature: parseDigest(record.string('signature')),
    revision: parseRevision(record.string('revision')),
    serial: record.integer('serial', { min: 1 }),
    publishedAt: record.string('publishedAt', 40),
  };
}
