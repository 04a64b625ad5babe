import { logLimit } from '#bundle/boot-report.ts';
import { lastLine } from './command.ts';
import type { Child, Host, Outcome } from './host.ts';

/** The end of all that the agent and its programs have said: what the server gets with a failure. */
export interface Log {
  add(text: string): void;
  text(): string;
}

/** Characters that one program may put in at once: it must not push out all that came before it. */
const shareOfOne = 2000;

/** @param limit characters that are kept */
export function openLog(limit: number = logLimit): Log {
  let kept = '';
  return {
    add: (text) => {
      kept = `${kept}${clean(text)}\n`.slice(-limit);
    },
    text: () => kept,
  };
}

/**
 * The same machine, with everything that is printed or goes wrong also kept in a log.
 * @param isDebug also prints every program that is run and how it ended (`bt.debug`)
 */
export function withLog(host: Host, log: Log, isDebug: boolean): Host {
  function print(line: string): void {
    log.add(line);
    host.print(line);
  }
  function note(argv: readonly string[], { status, stdout, stderr }: Outcome): void {
    const said = stderr.trim() || (status === 0 && !isDebug ? '' : lastLine(stdout));
    const line = `+ ${shown(argv)} = ${status}${said === '' ? '' : `\n${said.slice(-shareOfOne)}`}`;
    if (isDebug) print(line);
    else if (said !== '' || status !== 0) log.add(line);
  }
  return {
    ...host,
    print,
    run: (argv) => {
      const outcome = host.run(argv);
      note(argv, outcome);
      return outcome;
    },
    start: (argv) => {
      if (isDebug) print(`+ ${shown(argv)} &`);
      return noting(host.start(argv), (child) => {
        note(argv, { status: child.poll() ?? 0, stdout: '', stderr: child.output() });
      });
    },
  };
}

/** Calls `ended` once, as soon as somebody sees that the child has ended. */
function noting(child: Child, ended: (child: Child) => void): Child {
  let isNoted = false;
  const look = () => {
    if (isNoted || child.poll() === undefined) return;
    isNoted = true;
    ended(child);
  };
  return {
    ...child,
    poll: () => {
      look();
      return child.poll();
    },
    stop: () => {
      child.stop();
      look();
    },
  };
}

function shown(argv: readonly string[]): string {
  return argv.join(' ').slice(0, 300);
}

/** Programs print escape sequences and progress bars; parts of it come from the network. */
function clean(text: string): string {
  return text.replace(/[^\x20-\x7e\n]/g, '?');
}
