import Type, { type Static } from 'typebox';

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

export const sourceSchema = Type.Object(
  {
    debian: Type.Optional(debianSchema),
    directory: Type.Optional(directorySchema),
    files: Type.Optional(filesSchema),
  },
  {
    ...closed,
    minProperties: 1,
    maxProperties: 1,
    wanted: 'exactly one of debian, directory and files',
  },
);

export type FileReference = Static<typeof file>;
export type SourceFileKeys = Static<typeof filesSchema>;
