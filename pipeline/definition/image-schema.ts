import Type, { type Static } from 'typebox';
import { cmdline, text } from './site-schema.ts';

const closed = { additionalProperties: false } as const;

/** A suite of Debian by code name: `trixie`. */
const suite = Type.String({ pattern: '^[a-z][a-z0-9-]{0,40}$', wanted: 'a Debian suite such as trixie' });
const packageName = Type.String({
  // Debian Policy §5.6.7.
  pattern: '^[a-z0-9][a-z0-9+.-]{1,100}$',
  wanted: 'the name of a Debian package',
});
const path = Type.String({
  pattern: '^(?!/)(?!(.*/)?\\.\\.?(/|$))(?!.*//)[!-~]{1,300}$',
  wanted: 'a relative path without . and ..',
});

const url = Type.Object(
  {
    url: Type.String({ pattern: '^https?://[!-~]{1,1000}$', wanted: 'an address by http or https' }),
    sha256: Type.String({
      pattern: '^[0-9a-f]{64}$',
      wanted: 'the SHA-256 of the file, 64 lower-case hexadecimal digits',
    }),
  },
  closed,
);
const inPackage = Type.Object({ package: packageName, suite, path }, closed);
const file = Type.Union([path, url, inPackage], {
  wanted: 'a path in the folder, { url, sha256 } or { package, suite, path }',
});

const debian = Type.Object(
  {
    suite,
    packages: Type.Array(packageName, {
      maxItems: 2000,
      wanted: 'a list of Debian packages',
      description: 'What is installed beside the essential packages, with all that it depends on',
    }),
  },
  closed,
);

const files = Type.Object(
  {
    kernel: Type.Optional(file),
    initrd: Type.Optional(
      Type.Union([file, Type.Array(file, { minItems: 1, maxItems: 20, wanted: 'a list of files' })], {
        wanted: 'a file, or a list of files that are loaded in this order',
      }),
    ),
    rootfs: Type.Optional(file),
  },
  { ...closed, wanted: 'a mapping with kernel and initrd, or with rootfs' },
);

export const imageSchema = Type.Object(
  {
    title: text,
    arch: Type.Union([Type.Literal('amd64'), Type.Literal('arm64')], { wanted: 'amd64 or arm64' }),
    method: Type.Union([Type.Literal('kexec'), Type.Literal('switch-root')], {
      wanted: 'kexec (a kernel of its own) or switch-root (on the kernel of the bootstrap)',
    }),
    source: Type.Object(
      { debian: Type.Optional(debian), files: Type.Optional(files) },
      { ...closed, minProperties: 1, maxProperties: 1, wanted: 'exactly one of debian and files' },
    ),
    cmdline: Type.Optional(cmdline),
    lab: Type.Optional(
      Type.Object(
        { expect: Type.Optional(Type.String({ minLength: 1, maxLength: 200, wanted: 'a text of the console' })) },
        closed,
      ),
    ),
  },
  { ...closed, title: 'image.yaml', wanted: 'a mapping with title, arch, method and source' },
);

/** The file as written, before defaults. */
export type ImageFile = Static<typeof imageSchema>;
export type FileReference = Static<typeof file>;
