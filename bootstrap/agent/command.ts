import { Fault } from '#bundle/fault.ts';
import type { Host } from './host.ts';

/**
 * Runs a program that must succeed and returns what it printed.
 * @throws Fault with `code`: `Cannot <purpose>: ` and the last line that the program said
 */
export function runOrFail(
  host: Host,
  argv: readonly string[],
  { code, purpose }: { readonly code: string; readonly purpose: string },
): string {
  const outcome = host.run(argv);
  if (outcome.status === 0) return outcome.stdout;
  const said = lastLine(outcome.stderr) || lastLine(outcome.stdout) || `${argv[0]} ended with ${outcome.status}`;
  throw new Fault(code, `Cannot ${purpose}: ${said}`);
}

export function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim().slice(0, 300) ?? '';
}
