import type { Charset } from './text.ts';

/** What the kernel command line says about a console that shows a screen. */
export interface ConsoleSettings {
  readonly name: string;
  readonly charset: Charset;
}

/**
 * The consoles on which a person may look at screens. UTF-8 on the kernel's own screen, plain ASCII on serial lines, whose
 * other end nobody knows; `bt.charset=utf8` or `bt.charset=ascii` says it for all. With `bt.shell`, a shell reads from
 * the last one, /dev/console: that one is left alone.
 */
export function screenConsoles(names: readonly string[], cmdline: string): readonly ConsoleSettings[] {
  const words = cmdline.split(/\s+/);
  const free = words.includes('bt.shell') ? names.slice(0, -1) : names;
  const asked = (['utf8', 'ascii'] as const).find((one) => words.includes(`bt.charset=${one}`));
  return free.map((name) => ({ name, charset: asked ?? (isKernelScreen(name) ? 'utf8' : 'ascii') }));
}

/** A screen with a keyboard, and no serial line: nobody keeps what it showed. */
export function isKernelScreen(name: string): boolean {
  return /^tty[0-9]+$/.test(name);
}
