import { expect, it } from 'vitest';
import type { MenuEntry } from './entries.ts';
import type { Key } from './keys.ts';
import { found, type MenuSettings, type MenuState, openMenu, passTime, pressKey, selectedEntry } from './model.ts';

const images = ['debian', 'installer', 'memtest'].map((name): MenuEntry => {
  const common = { version: '0123456789ab', method: 'kexec', downloadBytes: 1e6, memoryBytes: 2e6 } as const;
  return { name, title: `The ${name}`, description: name === 'memtest' ? 'Tests Memory' : 'An OS', ...common };
});
const settings: MenuSettings = { images, default: 'installer', timeoutMs: 10_000, shell: true };

function press(state: MenuState, ...kinds: readonly string[]): MenuState {
  return kinds.reduce((before, kind) => pressKey(before, keyOf(kind)).state, state);
}

function keyOf(text: string): Key {
  return text.length === 1 ? { kind: 'char', char: text } : ({ kind: text } as Key);
}

it('openMenu() selects the default', () => {
  expect(selectedEntry(openMenu(settings))?.name).toBe('installer');
});

it('passTime() chooses the default at the end of the countdown, whatever is selected', () => {
  const half = passTime({ ...openMenu(settings), selected: 0 }, 9999);
  expect(half.action).toBeUndefined();
  expect(passTime(half.state, 1).action).toEqual({ kind: 'image', name: 'installer' });
});

it('passTime() waits for ever when the timeout is negative', () => {
  expect(passTime(openMenu({ ...settings, timeoutMs: -1 }), 1e9).action).toBeUndefined();
});

it.each(['a', 'up', 'tab', 'escape', 'redraw', 'home'])('pressKey() stops the countdown by %s', (key) => {
  expect(passTime(press(openMenu(settings), key), 1e9).action).toBeUndefined();
});

it('pressKey() moves the selection and stops at the ends', () => {
  const state = openMenu(settings);
  expect(press(state, 'up').selected).toBe(0);
  expect(press(state, 'up', 'up').selected).toBe(0);
  expect(press(state, 'down', 'down', 'down').selected).toBe(2);
  expect(press(state, 'home').selected).toBe(0);
  expect(press(state, 'home', 'end').selected).toBe(2);
  expect(press(state, 'page-up').selected).toBe(0);
});

it('pressKey() chooses what is selected at Enter', () => {
  const step = pressKey(press(openMenu(settings), 'down'), { kind: 'enter' });
  expect(step.action).toEqual({ kind: 'image', name: 'memtest' });
});

it('pressKey() searches names, titles and descriptions for every word', () => {
  const state = press(openMenu(settings), ...'MEM test');
  expect(found(state)).toEqual([2]);
  expect(selectedEntry(state)?.name).toBe('memtest');
  expect(found(press(state, 'backspace', 'backspace', 'backspace', 'backspace'))).toEqual([2]);
  expect(found(press(state, 'clear'))).toEqual([0, 1, 2]);
});

it('pressKey() chooses nothing when nothing is found', () => {
  const state = press(openMenu(settings), ...'xyz');
  expect(pressKey(state, { kind: 'enter' })).toEqual({ state });
  expect(press(state, 'down', 'up', 'end').search).toBe('xyz');
});

it('pressKey() goes back by Escape: from a view, from a search, then to the shell', () => {
  const state = press(openMenu(settings), 'd', 'tab');
  expect(state.view).toBe('details');
  const list = press(state, 'escape');
  expect([list.view, list.search]).toEqual(['list', 'd']);
  const cleared = press(list, 'escape');
  expect(cleared.search).toBe('');
  expect(pressKey(cleared, { kind: 'escape' }).action).toEqual({ kind: 'shell' });
});

it('pressKey() opens no shell when the site does not allow it', () => {
  expect(pressKey(openMenu({ ...settings, shell: false }), { kind: 'escape' }).action).toBeUndefined();
});

it('pressKey() goes round the views by Tab, and scrolls the log', () => {
  const log = press(openMenu(settings), 'tab', 'tab');
  expect(log.view).toBe('log');
  expect(press(log, 'up', 'up').scroll).toBe(2);
  expect(press(log, 'up', 'down', 'down').scroll).toBe(0);
  expect(press(log, 'up').selected).toBe(log.selected);
  expect(press(log, 'tab').view).toBe('list');
  expect(press(log, 'back-tab').view).toBe('details');
  expect(pressKey(log, { kind: 'enter' }).action).toBeUndefined();
});
