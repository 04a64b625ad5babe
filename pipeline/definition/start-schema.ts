import Type from 'typebox';
import {
  diskInterfaces,
  execEnds,
  methods,
  moduleSets,
  qemuDisplays,
  qemuFirmwares,
  qemuNetworks,
  qemuRestarts,
} from '#bundle/start.ts';
import { sizePattern } from './units.ts';

const closed = { additionalProperties: false } as const;

/** One of some words. */
function word<const T extends readonly string[]>(words: T, description?: string) {
  const wanted = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  return Type.Unsafe<T[number]>(Type.Enum([...words], { wanted, ...(description !== undefined && { description }) }));
}

export const size = (example: string, description?: string) =>
  Type.String({
    pattern: sizePattern,
    wanted: `a size such as ${example}`,
    ...(description !== undefined && { description }),
  });
/** What a program may be given: anything but the byte that ends it. */
const argument = Type.String({ pattern: '^[^\\u0000]{0,4096}$', wanted: 'a text of at most 4096 characters' });
const fileName = Type.String({ minLength: 1, maxLength: 200, wanted: 'the name of a file of source.files.disk' });
const modules = Type.Optional(
  word(
    moduleSets,
    'Which modules of the bootstrap’s kernel it gets: all, core (no sound, video …) or none. Default: all',
  ),
);

export const methodSchema = Type.Enum([...methods], {
  wanted: 'kexec, switch-root, qemu, exec, chain or local',
  description: 'How a node starts the image: see images/README.md',
});

const driver = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', wanted: 'the name of a driver such as nouveau' });
export const kexecSchema = Type.Object(
  {
    unbind: Type.Optional(
      Type.Array(driver, {
        maxItems: 50,
        wanted: 'a list of drivers',
        description: 'Drivers whose devices are let go before: those that hang the next kernel',
      }),
    ),
  },
  { ...closed, wanted: 'a mapping with unbind' },
);

export const switchRootSchema = Type.Object(
  { modules, overlay: Type.Optional(size('512M', 'RAM that it may write at most. Default: half of the RAM')) },
  { ...closed, wanted: 'a mapping with modules and overlay' },
);

const disk = Type.Object(
  {
    file: fileName,
    format: Type.Optional(word(['raw', 'qcow2'], 'Default: qcow2 for a name that ends so, else raw')),
    interface: Type.Optional(word(diskInterfaces, 'Default: virtio')),
  },
  { ...closed, wanted: 'a mapping with file, format and interface' },
);

export const qemuSchema = Type.Object(
  {
    firmware: Type.Optional(word(qemuFirmwares, 'Default: bios')),
    cpu: Type.Optional(
      Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._,=+-]{0,199}$', wanted: 'a CPU as QEMU’s -cpu takes it' }),
    ),
    cpus: Type.Optional(Type.Integer({ minimum: 1, maximum: 1024, wanted: 'a number from 1 to 1024' })),
    memory: Type.Optional(size('512M', 'RAM of the virtual machine. Default: 512M')),
    display: Type.Optional(word(qemuDisplays, 'serial: on the node’s console; vga: by VNC. Default: serial')),
    network: Type.Optional(word(qemuNetworks, 'Default: user, behind the node’s address')),
    disks: Type.Optional(
      Type.Array(disk, { maxItems: 26, wanted: 'a list of disks', description: 'Default: each disk file, by virtio' }),
    ),
    arguments: Type.Optional(
      Type.Array(argument, {
        maxItems: 200,
        wanted: 'a list of arguments',
        description: 'Arguments of QEMU, appended as they are',
      }),
    ),
    restart: Type.Optional(word(qemuRestarts, 'What happens when the machine ends. Default: never')),
  },
  { ...closed, wanted: 'a mapping with settings of the virtual machine' },
);

export const execSchema = Type.Object(
  {
    command: Type.Array(argument, { minItems: 1, maxItems: 200, wanted: 'a list: the program and its arguments' }),
    environment: Type.Optional(
      Type.Record(Type.String(), argument, { maxProperties: 200, wanted: 'a mapping of at most 200 variables' }),
    ),
    // biome-ignore lint/suspicious/noThenProperty: it is a key that people write, never an object that is awaited
    then: Type.Optional(word(execEnds, 'What the node does when the program has ended. Default: stay')),
    modules,
  },
  { ...closed, wanted: 'a mapping with command, environment, then and modules' },
);
