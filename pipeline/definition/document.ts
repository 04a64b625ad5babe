import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  parseAllDocuments,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { Fault, type Location } from '#bundle/fault.ts';

/** A YAML file that was read: its value, and where each part of it stands. */
export interface SourceDocument {
  readonly file: string;
  readonly value: unknown;
  /** Where a value stands; of the nearest enclosing one where there is none. */
  locate(path: readonly (string | number)[]): Location;
  /** Where a key of a mapping stands. */
  locateKey(path: readonly (string | number)[], key: string): Location;
}

/** Limits against documents that cost more than they say (trust: a person who can push is not always careful). */
export const documentLimits = { bytes: 256 * 1024, aliases: 10, depth: 20, keys: 1000, faults: 20 } as const;

/**
 * Reads YAML 1.2 (core schema: no merge keys, no tags of its own).
 * @returns the document, or what is wrong with it
 */
export function readDocument(file: string, text: string): SourceDocument | readonly Fault[] {
  if (Buffer.byteLength(text) > documentLimits.bytes) {
    return [yamlFault({ file, line: 1, column: 1 }, `it is larger than ${documentLimits.bytes / 1024} KiB`)];
  }
  const lines = new LineCounter();
  const at = (offset: number): Location => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const options = {
    version: '1.2',
    schema: 'core',
    // Looked at below: the parser compares each key with each, eight seconds for a file of 256 KiB.
    uniqueKeys: false,
    lineCounter: lines,
    prettyErrors: false,
  } as const;
  const documents = parseAllDocuments(text, options);
  const [document] = documents;
  if (!Array.isArray(documents) || !document) return [yamlFault(at(0), 'it is empty')];
  const second = documents[1];
  if (second) return [yamlFault(at(second.range[0]), 'it holds more than one document')];
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) return problems.map((error) => yamlFault(at(error.pos[0]), describe(error)));
  const found = [...problemsOf(document)].slice(0, documentLimits.faults);
  if (found.length > 0) return found.map(({ offset, reason }) => yamlFault(at(offset), reason));
  return {
    file,
    value: toValue(document),
    locate: (path) => at(offsetOf(document, path)),
    locateKey: (path, key) => at(keyOffset(document, path, key)),
  };
}

function toValue(document: Document.Parsed): unknown {
  return document.toJS({ maxAliasCount: documentLimits.aliases });
}

interface Problem {
  readonly offset: number;
  readonly reason: string;
}

/** What the parser lets pass; nothing is looked into below what is too much. */
function* problemsOf(document: Document.Parsed): Generator<Problem, undefined> {
  let aliases = 0;
  function* visit(node: unknown, depth: number): Generator<Problem, undefined> {
    const offset = startOf(node);
    if (isPair(node)) {
      yield* visit(node.key, depth);
      yield* visit(node.value, depth);
    } else if (isAlias(node)) {
      aliases++;
      if (aliases > documentLimits.aliases) {
        // One of them is enough to know.
        if (aliases === documentLimits.aliases + 1) {
          yield { offset, reason: `it has more than ${documentLimits.aliases} aliases` };
        }
      } else if (!node.resolve(document)) yield { offset, reason: `nothing before it is called &${node.source}` };
    } else if (isCollection(node)) {
      if (depth >= documentLimits.depth) {
        yield { offset, reason: `it is nested more than ${documentLimits.depth} levels deep` };
        return;
      }
      if (isMap(node)) yield* keyProblems(node);
      for (const item of node.items) yield* visit(item, depth + 1);
    }
  }
  yield* visit(document.contents, 0);
}

function* keyProblems(map: YAMLMap): Generator<Problem, undefined> {
  if (map.items.length > documentLimits.keys) {
    yield { offset: startOf(map), reason: `a mapping has more than ${documentLimits.keys} keys` };
  }
  const seen = new Set<string>();
  for (const { key } of map.items) {
    const name = isScalar(key) ? String(key.value) : undefined;
    if (name !== undefined && seen.has(name)) yield { offset: startOf(key), reason: 'Map keys must be unique' };
    if (name !== undefined) seen.add(name);
  }
}

function startOf(node: unknown): number {
  return (node as { range?: readonly number[] } | null)?.range?.[0] ?? 0;
}

function offsetOf(document: Document.Parsed, path: readonly (string | number)[]): number {
  for (let length = path.length; length >= 0; length--) {
    const node = document.getIn(path.slice(0, length), true) as { range?: readonly number[] } | undefined;
    if (node?.range?.[0] !== undefined) return node.range[0];
  }
  return 0;
}

function keyOffset(document: Document.Parsed, path: readonly (string | number)[], key: string): number {
  const map = path.length === 0 ? document.contents : document.getIn(path, true);
  const pair = isMap(map) ? map.items.find((item) => isScalar(item.key) && String(item.key.value) === key) : undefined;
  return (pair?.key as { range?: readonly number[] } | undefined)?.range?.[0] ?? offsetOf(document, path);
}

function describe(error: YAMLError): string {
  return error.message.replace(/\.$/, '').replace(/\s+/g, ' ').slice(0, 300);
}

function yamlFault(location: Location, reason: string): Fault {
  return new Fault('YAML_INVALID', `Cannot read the file as YAML: ${reason}`, {
    hint: 'Correct the file and commit again',
    retry: 'stalled',
    location,
  });
}
