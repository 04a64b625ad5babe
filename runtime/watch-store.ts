import { watch } from 'node:fs';
import type { Component } from './component.ts';

/**
 * Rings when `published` is replaced, whoever did that. A hint only: what is published is also looked at every few
 * seconds, so a file system without such events costs those seconds.
 */
export function watchStore(path: string, ring: () => void): Component {
  return {
    name: 'store-watch',
    async run(signal) {
      const watcher = watch(path, (_, name) => {
        if (name === null || name === 'published') ring();
      });
      watcher.on('error', ring);
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
        if (signal.aborted) resolve();
      });
      watcher.close();
    },
  };
}
