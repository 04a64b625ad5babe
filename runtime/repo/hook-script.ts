/** The first lines of every hook that is ours; another one is never replaced. */
const mark = '# Made by "boottorrent repo init". Run that again when this program or the site has moved.';

export interface HookOptions {
  /** The verb of `boottorrent repo`, which is the name of the hook. */
  readonly name: 'pre-receive' | 'post-receive';
  /** This program: node, its options, the script. Absolute paths: a hook has no search path to rely on. */
  readonly program: readonly string[];
  readonly argv: readonly string[];
  /** Whether a push goes on when the program is not there any more. */
  readonly isNeeded: boolean;
}

export function hookScript({ name, program, argv, isNeeded }: HookOptions): string {
  const [node = '', ...rest] = program.map(quoted);
  const script = rest.at(-1) ?? '';
  const missing = `boottorrent is not at ${program.at(-1)} any more: run "boottorrent repo init" again on the server`;
  return [
    '#!/bin/sh',
    mark,
    `if [ ! -x ${node} ] || [ ! -e ${script} ]; then`,
    `  echo ${quoted(missing)} >&2`,
    `  exit ${isNeeded ? 1 : 0}`,
    'fi',
    `exec ${[node, ...rest, 'repo', name, ...argv.map(quoted)].join(' ')}`,
    '',
  ].join('\n');
}

export function isOurHook(text: string): boolean {
  return text.split('\n')[1] === mark;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
