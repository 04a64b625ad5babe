import type { DownloadView } from '../download-view.ts';
import type { Host } from '../host.ts';
import { isKernelScreen, screenConsoles } from './consoles.ts';
import { renderProgress } from './render-progress.ts';
import { openScreen, type Screen } from './screen.ts';

const drawEveryMs = 500;

/**
 * A download on whole screens: on the kernel's own, and on the serial lines where a person pressed a key in the menu. The
 * other ones are read by programs rather, and get lines.
 * @param options.title the image; `keyed`: see {@link MenuChoice}
 */
export function openProgress(
  host: Host,
  { title, keyed }: { readonly title: string; readonly keyed: readonly string[] },
): DownloadView {
  const consoles = screenConsoles(host.consoles(), host.readText('/proc/cmdline') ?? '');
  const screens: Screen[] = consoles
    .filter(({ name }) => isKernelScreen(name) || keyed.includes(name))
    .map((one) => openScreen(host, { ...one, aheadMs: 2 * drawEveryMs }));
  let drawnMs = Number.NEGATIVE_INFINITY;
  return {
    show: (state) => {
      const nowMs = host.uptimeMs();
      for (const screen of screens) if (screen.keys(nowMs).length > 0) screen.redraw();
      if (nowMs - drawnMs < drawEveryMs) return;
      drawnMs = nowMs;
      const around = { title, log: host.printed() };
      for (const screen of screens) {
        screen.show(renderProgress(state, around, screen.canvas));
        screen.flush(nowMs);
      }
    },
    close: () => {
      for (const screen of screens.splice(0)) screen.close();
    },
  };
}
