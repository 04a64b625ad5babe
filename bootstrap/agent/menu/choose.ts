import type { Host } from '../host.ts';
import { screenConsoles } from './consoles.ts';
import type { MenuEntry } from './entries.ts';
import { type MenuAction, type MenuSettings, type MenuState, openMenu, passTime, pressKey } from './model.ts';
import { type MenuSurroundings, renderMenu } from './render-menu.ts';
import { openScreen, type Screen } from './screen.ts';

export type { MenuEntry } from './entries.ts';

export interface MenuOptions extends MenuSettings {
  /** The name of the image that boots when nobody chooses. */
  readonly default: string;
  /** 0: the default at once, without a menu. Negative: the menu waits for ever. */
  readonly timeoutMs: number;
  /** Whether Escape opens a shell. */
  readonly shell: boolean;
  readonly images: readonly MenuEntry[];
  /** Called about once a second. */
  readonly onTick: () => void;
}

export interface MenuChoice {
  readonly kind: 'image';
  readonly name: string;
  /** Consoles at which a person pressed a key: none when the countdown chose. */
  readonly keyed: readonly string[];
}

const pauseMs = 30;
const tickMs = 1000;
/** Somebody who presses a key after this time may have connected only now, and sees an empty screen. */
const quietMs = 15_000;

/**
 * Lets a person choose an image, on all consoles at once, which are as before when it returns or throws. Without a
 * console the default is chosen.
 */
export function chooseInMenu(host: Host, options: MenuOptions): MenuChoice {
  const atOnce: MenuChoice = { kind: 'image', name: options.default, keyed: [] };
  const consoles = screenConsoles(host.consoles(), host.readText('/proc/cmdline') ?? '');
  if (options.timeoutMs === 0 || consoles.length === 0) return atOnce;
  const screens: Screen[] = [];
  try {
    for (const one of consoles) screens.push(openScreen(host, one));
    return runMenu(host, screens, options);
  } finally {
    for (const screen of screens) screen.close();
  }
}

function runMenu(host: Host, screens: readonly Screen[], options: MenuOptions): MenuChoice {
  const keyed = new Set<string>();
  const listen = openListener(screens, { keyed, openedMs: host.uptimeMs() });
  let state = openMenu(options);
  let isNew = true;
  let [passedMs, tickedMs] = [host.uptimeMs(), host.uptimeMs()];
  for (;;) {
    const nowMs = host.uptimeMs();
    const heard = listen(state, nowMs);
    isNew ||= heard.state !== state;
    const step = heard.action ? heard : passTime(heard.state, nowMs - passedMs);
    passedMs = nowMs;
    state = step.state;
    if (step.action?.kind === 'image') return { ...step.action, keyed: [...keyed] };
    if (nowMs - tickedMs >= tickMs) {
      tickedMs = nowMs;
      isNew = true;
      options.onTick();
    }
    if (isNew) {
      isNew = false;
      const around = lookAround(host);
      for (const screen of screens) screen.show(renderMenu(state, around, screen.canvas));
    }
    for (const screen of screens) screen.flush(nowMs);
    host.sleep(pauseMs);
  }
}

interface Heard {
  readonly state: MenuState;
  readonly action?: MenuAction;
}

/** Keys of all screens, one after the other. A shell opens at the screen whose key asked for it, the others go on. */
function openListener(screens: readonly Screen[], { keyed, openedMs }: { keyed: Set<string>; openedMs: number }) {
  const heardMs = new Map<string, number>();

  function listenTo(screen: Screen, before: MenuState, nowMs: number): Heard {
    const keys = screen.keys(nowMs);
    if (keys.length === 0) return { state: before };
    keyed.add(screen.name);
    const silentMs = nowMs - (heardMs.get(screen.name) ?? openedMs);
    heardMs.set(screen.name, nowMs);
    if (silentMs > quietMs || keys.some(({ kind }) => kind === 'redraw')) screen.redraw();
    let state = before;
    for (const key of keys) {
      const { state: next, action } = pressKey(state, key);
      state = next;
      if (action?.kind === 'image') return { state, action };
      if (action && !screen.hasShell()) screen.startShell('A shell of the bootstrap. exit goes back to the menu');
    }
    return { state };
  }
  return (before: MenuState, nowMs: number): Heard => {
    let heard: Heard = { state: before };
    for (const screen of screens) if (!heard.action) heard = listenTo(screen, heard.state, nowMs);
    return heard;
  };
}

function lookAround(host: Host): MenuSurroundings {
  const memory = /^MemAvailable:\s+([0-9]+) kB/m.exec(host.readText('/proc/meminfo') ?? '');
  return { freeBytes: Number(memory?.[1] ?? 0) * 1024, log: host.printed() };
}
