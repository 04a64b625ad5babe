import { readDocument, type SourceDocument } from './document.ts';
import { type ImageDefinition, isTree } from './image.ts';
import { imageFaults, missingKeys } from './image-faults.ts';
import { type ImageFile, imageSchema } from './image-schema.ts';
import type { Read } from './read-site.ts';
import { runOf, sourceOf } from './read-source.ts';
import { heartbeatOf, startOf, systemBytesOf } from './read-start.ts';
import { compileCheck } from './schema.ts';
import { expandTemplate } from './template.ts';

const check = compileCheck(imageSchema);

/** Parses an `image.yaml`. @param file its name in faults */
export function readImage(file: string, { name, text }: { name: string; text: string }): Read<ImageDefinition> {
  const document = readDocument(file, text);
  if (Array.isArray(document)) return { faults: document };
  const source = document as SourceDocument;
  const faults = [...check(source), ...missingKeys(source)];
  if (faults.length > 0) return { document: source, faults };
  const written = source.value as ImageFile;
  const image = imageOf(name, written);
  const more = imageFaults(written, image, source);
  return more.length > 0 ? { document: source, faults: more } : { value: image, document: source, faults: [] };
}

function imageOf(name: string, written: ImageFile): ImageDefinition {
  const { title, description, arch, cmdline = '', lab = {} } = written;
  const source = sourceOf(written);
  const heartbeatMs = heartbeatOf(written);
  const values = Object.fromEntries(Object.entries(written.values ?? {}).map(([key, value]) => [key, String(value)]));
  return {
    name,
    title,
    ...(description !== undefined && { description: description.trimEnd() }),
    arch,
    start: startOf(written, isTree(source) ? [] : source.files),
    memoryBytes: systemBytesOf(written),
    ...(heartbeatMs !== undefined && { heartbeatMs }),
    source,
    run: runOf(written),
    values,
    cmdline: expandTemplate(cmdline, values).text,
    lab,
  };
}
