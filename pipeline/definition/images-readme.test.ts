import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { imageSchema } from './image-schema.ts';

const page = readFileSync(new URL('../../images/README.md', import.meta.url), 'utf8');

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
}

/** Every key that the schema knows, at any depth. */
function keysOf(schema: Schema): readonly string[] {
  const { properties = {}, anyOf = [], items } = schema;
  const inner = [...Object.values(properties), ...anyOf, ...(items ? [items] : [])];
  return [...Object.keys(properties), ...inner.flatMap(keysOf)];
}

const known = new Set(keysOf(JSON.parse(JSON.stringify(imageSchema))));

/** The first cells of the tables that are about keys. */
function documented(): readonly string[] {
  const tables = page.split('| key | what it says |\n|---|---|\n').slice(1);
  const rows = tables.flatMap((text) => text.split('\n\n')[0]?.split('\n') ?? []);
  return rows.flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, key = '']) => key));
}

/** Keys that a section's own heading and example stand for, or whose meaning another row says. */
const bySection = new Set([
  ...['debian', 'oci', 'directory', 'files', 'iso', 'kexec', 'switch-root', 'qemu', 'exec'],
  ...['unbind', 'heartbeat', 'format', 'interface'],
]);

test('every key of the schema has its row or its section in images/README.md', () => {
  expect(known.size).toBeGreaterThan(50);
  const rows = new Set(documented());
  const missing = [...known].filter((key) => !rows.has(key) && !(bySection.has(key) && page.includes(key)));
  expect(missing).toEqual([]);
});

test('every key that images/README.md has in a table is one of the schema', () => {
  expect(documented().filter((key) => !known.has(key))).toEqual([]);
});

test('every example of images/README.md has only keys of the schema', () => {
  const blocks = [...page.matchAll(/(?:^ {4}.*\n)+/gm)].map(([text]) => text.replaceAll(/^ {4}/gm, ''));
  const examples = blocks.filter((text) => /^(# images|title|method|source|run|values|kernel):/m.test(text));
  expect(examples.length).toBeGreaterThan(10);
  // What people choose freely: names of variables and values.
  const free = new Set(['LANG', 'log-server', 'quiet']);
  for (const text of examples) {
    // Repeated keys show alternatives: `kernel: …` three times.
    const document = parseDocument(text, { uniqueKeys: false });
    expect(document.errors, text).toEqual([]);
    const found = [...text.matchAll(/(?:^|[{,]|- )\s*([a-zA-Z0-9-]+):(?= |$)/gm)].map(([, key = '']) => key);
    expect(
      found.filter((key) => !known.has(key) && !free.has(key)),
      text,
    ).toEqual([]);
  }
});
