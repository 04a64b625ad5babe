import type { Child, Host, Outcome } from './host.ts';

const pollMs = 100;

/** Waits for a program that may take long; `meanwhile` is called ten times a second. @returns its exit status */
export function waitWatched(host: Host, child: Child, meanwhile: () => void): number {
  for (;;) {
    const status = child.poll();
    if (status !== undefined) return status;
    meanwhile();
    host.sleep(pollMs);
  }
}

/** As {@link Host.run}, for a program that may take long. All that it says is in `stdout`. */
export function runWatched(host: Host, argv: readonly string[], meanwhile: () => void): Outcome {
  const child = host.start(argv);
  const status = waitWatched(host, child, meanwhile);
  return { status, stdout: child.output(), stderr: '' };
}
