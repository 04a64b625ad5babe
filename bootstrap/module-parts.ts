import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Folders of the kernel's modules that a machine in a rack has no device for. They are a part of their own, so that an
 * image with `modules: core` neither downloads them nor keeps them in RAM.
 */
export const extraFolders = [
  'drivers/accel',
  'drivers/bluetooth',
  'drivers/comedi',
  'drivers/gpu',
  'drivers/greybus',
  'drivers/iio',
  'drivers/input/joystick',
  'drivers/input/tablet',
  'drivers/input/touchscreen',
  'drivers/isdn',
  'drivers/media',
  'drivers/net/wireless',
  'drivers/nfc',
  'drivers/pcmcia',
  'drivers/staging',
  'drivers/video',
  'net/bluetooth',
  'net/mac80211',
  'net/nfc',
  'net/wireless',
  'sound',
] as const;

/**
 * Moves {@link extraFolders} of a kernel's modules into a tree of the same shape. The indexes (modules.dep and the
 * like) stay where they are: they are right for both trees laid over each other.
 */
export async function splitModules(modulesPath: string, extraPath: string): Promise<void> {
  for (const folder of extraFolders) {
    const target = join(extraPath, 'kernel', folder);
    await mkdir(dirname(target), { recursive: true });
    await rename(join(modulesPath, 'kernel', folder), target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}
