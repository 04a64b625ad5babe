import { parseDigest } from '#bundle/digest.ts';
import type { Fault } from '#bundle/fault.ts';
import { readDocument, type SourceDocument } from './document.ts';
import { definitionFault } from './faults.ts';
import type { FileOrigin, ImageDefinition, ImageSource, SourceFileDefinition } from './image.ts';
import { type FileReference, type ImageFile, imageSchema } from './image-schema.ts';
import type { Read } from './read-site.ts';
import { compileCheck } from './schema.ts';

const check = compileCheck(imageSchema);

/** Parses an `image.yaml`. @param file its name in faults */
export function readImage(file: string, { name, text }: { name: string; text: string }): Read<ImageDefinition> {
  const document = readDocument(file, text);
  if (Array.isArray(document)) return { faults: document };
  const source = document as SourceDocument;
  const faults = check(source);
  if (faults.length > 0) return { document: source, faults };
  const written = source.value as ImageFile;
  const image: ImageDefinition = {
    name,
    title: written.title,
    arch: written.arch,
    method: written.method,
    source: sourceOf(written),
    cmdline: written.cmdline ?? '',
    lab: written.lab ?? {},
  };
  const more = [...methodFaults(image, source), ...nameFaults(image, source)];
  return more.length > 0 ? { document: source, faults: more } : { value: image, document: source, faults: [] };
}

function sourceOf({ source }: ImageFile): ImageSource {
  if (source.debian) return { kind: 'debian', ...source.debian };
  const { kernel, initrd = [], rootfs } = source.files ?? {};
  const initrds = Array.isArray(initrd) ? initrd : [initrd];
  return {
    kind: 'files',
    files: [
      ...(kernel === undefined ? [] : [fileOf('kernel', kernel)]),
      ...initrds.map((one) => fileOf('initrd', one)),
      ...(rootfs === undefined ? [] : [fileOf('rootfs', rootfs)]),
    ],
  };
}

function fileOf(role: SourceFileDefinition['role'], reference: FileReference): SourceFileDefinition {
  const origin = originOf(reference);
  const path = origin.kind === 'url' ? new URL(origin.url).pathname : origin.path;
  const name = path.split('/').at(-1) ?? '';
  return { role, origin, name: /^[A-Za-z0-9][A-Za-z0-9._+-]{0,100}$/.test(name) ? name : role };
}

function originOf(reference: FileReference): FileOrigin {
  if (typeof reference === 'string') return { kind: 'path', path: reference };
  if ('url' in reference) return { kind: 'url', url: reference.url, sha256: parseDigest(reference.sha256) };
  return { kind: 'package', ...reference };
}

/** A method needs certain files, and a source gives certain files. */
function methodFaults({ method, source }: ImageDefinition, document: SourceDocument): readonly Fault[] {
  const unfit = (reason: string, hint: string): Fault =>
    definitionFault('SOURCE_UNFIT', `Cannot use source: ${reason}`, {
      location: document.locateKey([], 'source'),
      hint,
    });
  if (source.kind === 'debian') {
    if (method === 'switch-root') return [];
    return [
      unfit('debian gives a root filesystem, but kexec needs a kernel and an initrd', 'Write method: switch-root'),
    ];
  }
  const has = (role: SourceFileDefinition['role']) => source.files.some((file) => file.role === role);
  if (method === 'switch-root') {
    const fits = has('rootfs') && !has('kernel') && !has('initrd');
    return fits ? [] : [unfit('switch-root needs files: { rootfs: … } and nothing else', 'Name a squashfs as rootfs')];
  }
  const fits = has('kernel') && has('initrd') && !has('rootfs');
  return fits
    ? []
    : [unfit('kexec needs files: { kernel: …, initrd: … } and nothing else', 'Name a kernel and an initrd')];
}

function nameFaults({ source }: ImageDefinition, document: SourceDocument): readonly Fault[] {
  if (source.kind !== 'files') return [];
  const names = source.files.map((file) => file.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return [];
  const message = `Cannot use source.files: two of the files are called ${JSON.stringify(twice)}`;
  return [definitionFault('NAME_DUPLICATE', message, { location: document.locate(['source', 'files']) })];
}
