import type { MenuEntry } from './entries.ts';
import type { Key } from './keys.ts';

export const views = ['list', 'details', 'log'] as const;
export type View = (typeof views)[number];

/** What a person at the menu sees and has done so far. */
export interface MenuState {
  readonly entries: readonly MenuEntry[];
  readonly default: string;
  readonly mayShell: boolean;
  /** Index in `entries`. */
  readonly selected: number;
  readonly search: string;
  readonly view: View;
  /** In the log: how many lines above the end. */
  readonly scroll: number;
  /** Milliseconds until the default boots. Absent: somebody is there, or the menu waits for ever. */
  readonly remainingMs?: number;
}

export type MenuAction = { readonly kind: 'image'; readonly name: string } | { readonly kind: 'shell' };

export interface MenuStep {
  readonly state: MenuState;
  readonly action?: MenuAction;
}

export interface MenuSettings {
  readonly images: readonly MenuEntry[];
  readonly default: string;
  /** Negative: no countdown. */
  readonly timeoutMs: number;
  readonly shell: boolean;
}

const page = 10;
const searchLimit = 40;

export function openMenu({ images, default: name, timeoutMs, shell }: MenuSettings): MenuState {
  return {
    entries: images,
    default: name,
    mayShell: shell,
    selected: Math.max(
      0,
      images.findIndex((one) => one.name === name),
    ),
    search: '',
    view: 'list',
    scroll: 0,
    ...(timeoutMs >= 0 && { remainingMs: timeoutMs }),
  };
}

/** The entries that the search leaves, as indexes: every word of it is somewhere in name, title or description. */
export function found({ entries, search }: Pick<MenuState, 'entries' | 'search'>): readonly number[] {
  const words = search.toLowerCase().split(' ');
  return entries.flatMap(({ name, title, description = '' }, index) => {
    const text = `${name}\n${title}\n${description}`.toLowerCase();
    return words.every((word) => text.includes(word)) ? [index] : [];
  });
}

/** The entry that Enter boots; undefined when the search finds none. */
export function selectedEntry(state: MenuState): MenuEntry | undefined {
  return found(state).includes(state.selected) ? state.entries[state.selected] : undefined;
}

/** Time goes by: at the end of the countdown the default is chosen, whatever is selected. */
export function passTime(state: MenuState, passedMs: number): MenuStep {
  if (state.remainingMs === undefined) return { state };
  const remainingMs = Math.max(0, state.remainingMs - passedMs);
  const next = { ...state, remainingMs };
  return remainingMs > 0 ? { state: next } : { state: next, action: { kind: 'image', name: state.default } };
}

/** Any key stops the countdown, and does what it does. */
export function pressKey(before: MenuState, key: Key): MenuStep {
  const { remainingMs: _, ...state } = before;
  switch (key.kind) {
    case 'enter':
      return enter(state);
    case 'escape':
      return leave(state);
    case 'tab':
    case 'back-tab':
      return { state: turn(state, key.kind === 'tab' ? 1 : -1) };
    case 'char':
      return { state: look(state, state.search + (state.search === '' ? key.char.trim() : key.char)) };
    case 'backspace':
      return { state: look(state, state.search.slice(0, -1)) };
    case 'clear':
      return { state: look(state, '') };
    case 'redraw':
      return { state };
    case 'up':
    case 'down':
    case 'page-up':
    case 'page-down':
    case 'home':
    case 'end':
      return { state: state.view === 'log' ? scroll(state, key.kind) : move(state, key.kind) };
    default:
      return key satisfies never;
  }
}

type Move = 'up' | 'down' | 'page-up' | 'page-down' | 'home' | 'end';
const steps: Readonly<Record<Move, number>> = {
  up: -1,
  down: 1,
  'page-up': -page,
  'page-down': page,
  home: Number.NEGATIVE_INFINITY,
  end: Number.POSITIVE_INFINITY,
};

function move(state: MenuState, key: Move): MenuState {
  const left = found(state);
  const at = left.indexOf(state.selected);
  const next = left[Math.max(0, Math.min(left.length - 1, at + steps[key]))];
  return next === undefined ? state : { ...state, selected: next };
}

/** The screen shows no more than there is; a number that is far too high comes from Home only. */
function scroll(state: MenuState, key: Move): MenuState {
  const lines = state.scroll - (key === 'home' || key === 'end' ? Math.sign(steps[key]) * 10_000 : steps[key]);
  return { ...state, scroll: Math.max(0, Math.min(10_000, lines)) };
}

function turn(state: MenuState, by: number): MenuState {
  const at = views.indexOf(state.view) + by + views.length;
  return { ...state, view: views[at % views.length] ?? 'list', scroll: 0 };
}

/** Typing shows the list, and selects the first one that is left when the selected one is not. */
function look(state: MenuState, search: string): MenuState {
  const next = { ...state, view: 'list' as const, search: search.slice(0, searchLimit) };
  const left = found(next);
  return left.includes(state.selected) ? next : { ...next, selected: left[0] ?? state.selected };
}

function enter(state: MenuState): MenuStep {
  if (state.view === 'log') return { state: { ...state, view: 'list' } };
  const entry = selectedEntry(state);
  return entry ? { state, action: { kind: 'image', name: entry.name } } : { state };
}

/** Back, one step at a time; from the list itself to the shell. */
function leave(state: MenuState): MenuStep {
  if (state.view !== 'list') return { state: { ...state, view: 'list' } };
  if (state.search !== '') return { state: look(state, '') };
  return state.mayShell ? { state, action: { kind: 'shell' } } : { state };
}
