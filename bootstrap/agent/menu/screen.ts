import type { Child, Host, Terminal } from '../host.ts';
import { encodeUtf8 } from '../utf8.ts';
import { beginScreen, drawScreen, endScreen } from './draw.ts';
import { decodeKeys, type Key, noKeys } from './keys.ts';
import type { Canvas, Line } from './screen-lines.ts';
import type { Charset } from './text.ts';

/** A terminal with a screen on it. */
export interface Screen {
  readonly name: string;
  readonly canvas: Canvas;
  /** Keys since the last call; none while a shell is there. */
  keys(nowMs: number): readonly Key[];
  /** What it is to show from now on. */
  show(lines: readonly Line[]): void;
  /**
   * Brings the terminal nearer to that, as far as its line carries: to be called often. While it is behind, screens are left
   * out, so that the newest one comes next.
   */
  flush(nowMs: number): void;
  /** The next drawing is a whole one. */
  redraw(): void;
  /** A shell instead of the screen, until it ends. */
  startShell(hint: string): void;
  hasShell(): boolean;
  close(): void;
}

export interface ScreenOptions {
  readonly name: string;
  readonly charset: Charset;
  /**
   * How much of a slow line's time is written at once: short, so that a key shows soon, but as long as the caller stays away
   * between two calls of flush. Default: 100 ms.
   */
  readonly aheadMs?: number;
}

/** @throws TypeError when the console is open or is not there */
export function openScreen(host: Host, { name, charset, aheadMs = 100 }: ScreenOptions): Screen {
  const terminal = host.openTerminal(name);
  const canvas: Canvas = { columns: terminal.columns, rows: terminal.rows, charset };
  const output = openOutput(terminal, aheadMs);
  let shown: readonly Line[] | undefined;
  let wanted: readonly Line[] | undefined;
  let keyState = noKeys;
  let shell: Child | undefined;

  function redraw(): void {
    shown = undefined;
  }
  function hasShell(): boolean {
    if (shell !== undefined && shell.poll() !== undefined) {
      shell = undefined;
      terminal.resume();
      redraw();
    }
    return shell !== undefined;
  }
  // What was typed before the screen was there was not meant for it.
  while (terminal.read().length > 0);
  return {
    name,
    canvas,
    keys: (nowMs) => {
      if (hasShell()) return [];
      const decoded = decodeKeys(keyState, terminal.read(), nowMs);
      keyState = decoded.state;
      return decoded.keys;
    },
    show: (lines) => {
      wanted = lines;
    },
    flush: (nowMs) => {
      if (hasShell() || !output.flush(nowMs) || wanted === shown || !wanted) return;
      output.add((shown ? '' : beginScreen) + drawScreen(shown, wanted));
      shown = wanted;
      output.flush(nowMs);
    },
    redraw,
    startShell: (hint) => {
      output.finish(host, endScreen);
      shell = terminal.startShell(hint);
    },
    hasShell,
    close: () => {
      shell?.stop();
      output.finish(host, endScreen);
      terminal.close();
    },
  };
}

interface Output {
  add(text: string): void;
  /** @returns whether everything was written */
  flush(nowMs: number): boolean;
  /**
   * Everything, and `text`, at once: a sequence that ends in the middle would swallow what comes after it. A line that
   * takes nothing for a second has nobody behind it.
   */
  finish(host: Host, text: string): void;
}

/** What is to be written, at the rate of the line. */
function openOutput(terminal: Terminal, aheadMs: number): Output {
  const rate = terminal.bytesPerSecond ?? Number.POSITIVE_INFINITY;
  let waiting: Uint8Array = new Uint8Array(0);
  let paidUntilMs = Number.NEGATIVE_INFINITY;
  return {
    add: (text) => {
      waiting = concat(waiting, encodeUtf8(text));
    },
    flush: (nowMs) => {
      if (waiting.length === 0) return true;
      const startMs = Math.max(paidUntilMs, nowMs);
      const room = Math.ceil(((nowMs + aheadMs - startMs) * rate) / 1000);
      if (room <= 0) return false;
      const written = terminal.write(waiting.subarray(0, Math.min(room, waiting.length)));
      paidUntilMs = startMs + (written * 1000) / rate;
      waiting = waiting.subarray(written);
      return waiting.length === 0;
    },
    finish: (host, text) => {
      waiting = concat(waiting, encodeUtf8(text));
      for (let tries = 0; waiting.length > 0 && tries < 50; tries += 1) {
        if (tries > 0) host.sleep(20);
        waiting = waiting.subarray(terminal.write(waiting));
      }
      waiting = new Uint8Array(0);
    },
  };
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
