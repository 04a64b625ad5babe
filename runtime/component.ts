/**
 * A long-lived part of the runtime. Whoever starts it awaits it; `run` resolves when `signal` aborts and everything
 * is closed, and rejects when the part cannot go on: then the whole runtime ends.
 */
export interface Component {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Runs all components until one ends or `signal` aborts; then aborts the others and waits for them.
 * @throws the first error of a component
 */
export async function runAll(components: readonly Component[], signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const runs = components.map((component) => component.run(stop.signal).finally(() => stop.abort()));
  const results = await Promise.allSettled(runs);
  signal.removeEventListener('abort', onAbort);
  const failure = results.find((result) => result.status === 'rejected');
  if (failure) throw failure.reason;
}
