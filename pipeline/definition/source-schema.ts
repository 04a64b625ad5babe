import Type, { type Static } from 'typebox';
import { durationPattern } from './units.ts';

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

function files(wanted: string, description: string) {
  const list = Type.Array(file, { minItems: 1, maxItems: 20, wanted: 'a list of files' });
  return Type.Optional(Type.Union([file, list], { wanted, description }));
}

const debianSchema = Type.Object(
  {
    suite,
    snapshot: Type.Optional(
      Type.String({
        pattern: '^[0-9]{8}T[0-9]{6}Z$',
        wanted: 'a moment such as 20261101T000000Z',
        description: 'Packages as snapshot.debian.org has them at this moment (UTC)',
      }),
    ),
    packages: Type.Array(packageName, {
      maxItems: 2000,
      wanted: 'a list of Debian packages',
      description: 'What is installed beside the essential packages, with all that it depends on',
    }),
  },
  closed,
);

const filesSchema = Type.Object(
  {
    kernel: Type.Optional(file),
    initrd: files('a file, or a list of files that are loaded in this order', 'With kexec'),
    rootfs: files('a file, or a list of layers, the lowest first', 'Squashfs, with switch-root and exec'),
    disk: files('a file, or a list of files', 'Disks of a virtual machine'),
    cdrom: Type.Optional(file),
    floppy: Type.Optional(file),
    nbp: files(
      'a file, or one for BIOS and one for UEFI',
      'Network boot programs; a name that ends in .efi is for UEFI',
    ),
    file: files('a file, or a list of files', 'Other files of a virtual machine, which qemu.arguments name'),
  },
  { ...closed, wanted: 'a mapping of files by what they are for' },
);

const directorySchema = Type.Object(
  {
    path: Type.String({
      pattern: '^/?(?!/)(?!(.*/)?\\.\\.?(/|$))(?!.*//)[!-~]{1,300}$',
      wanted: 'a path in the folder, or an absolute one, without . and ..',
      description: 'A prepared root tree: in the folder, or on the builder, where boot.config.yaml must allow it',
    }),
  },
  closed,
);

/** Of the distribution specification: lower-case path components; a tag has at most 128 characters. */
const repository = '[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*';
const ociSchema = Type.Object(
  {
    image: Type.String({
      pattern: `^[A-Za-z0-9.-]+(:[0-9]{1,5})?/${repository}(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$`,
      maxLength: 500,
      wanted: 'registry/repository with :tag or @sha256:…, such as docker.io/library/debian:trixie',
      description: 'A container image. A tag is resolved once, and kept in image.lock or in the store',
    }),
    kernel: Type.Optional(path),
  },
  closed,
);

function paths(wanted: string) {
  const list = Type.Array(path, { minItems: 1, maxItems: 20, wanted: 'a list of paths' });
  return Type.Optional(Type.Union([path, list], { wanted }));
}

const isoSchema = Type.Object(
  {
    image: file,
    kernel: Type.Optional(path),
    initrd: paths('a path in the ISO, or a list of initrds that are loaded in this order'),
    rootfs: paths('a path in the ISO, or a list of layers, the lowest first'),
  },
  { ...closed, wanted: 'a mapping with image and paths in it' },
);

const word = Type.String({
  pattern: '^[^\\u0000]{0,4096}$',
  wanted: 'a text of at most 4096 characters',
});
const commandSchema = Type.Object(
  {
    command: Type.Array(word, { minItems: 1, maxItems: 200, wanted: 'a list: the program and its arguments' }),
    environment: Type.Optional(
      Type.Record(Type.String(), word, { maxProperties: 200, wanted: 'a mapping of names to texts' }),
    ),
    inputs: Type.Optional(
      Type.Array(file, {
        maxItems: 200,
        wanted: 'a list of files',
        description:
          'Files that the command finds in its directory; a path that ends in / is a folder with all its files',
      }),
    ),
    outputs: Type.Object(
      {
        kernel: Type.Optional(path),
        initrd: paths('a path, or a list of paths'),
        rootfs: paths('a path, or a list of layers, the lowest first'),
        disk: paths('a path, or a list of paths'),
        cdrom: Type.Optional(path),
        floppy: Type.Optional(path),
        nbp: paths('a path, or a list of paths'),
        file: paths('a path, or a list of paths'),
      },
      { ...closed, minProperties: 1, wanted: 'a mapping of paths by what they are for' },
    ),
    network: Type.Optional(Type.Boolean({ wanted: 'true or false', description: 'Default: false' })),
    timeout: Type.Optional(
      Type.String({
        pattern: durationPattern,
        wanted: 'a number and a unit (ms, s, m, h, d), such as 30m',
        description: 'Default: 1h',
      }),
    ),
  },
  closed,
);

export const sourceSchema = Type.Object(
  {
    debian: Type.Optional(debianSchema),
    oci: Type.Optional(ociSchema),
    directory: Type.Optional(directorySchema),
    files: Type.Optional(filesSchema),
    iso: Type.Optional(isoSchema),
    command: Type.Optional(commandSchema),
  },
  {
    ...closed,
    minProperties: 1,
    maxProperties: 1,
    wanted: 'exactly one of debian, oci, directory, files, iso and command',
  },
);

export type FileReference = Static<typeof file>;
export type SourceFileKeys = Static<typeof filesSchema>;
