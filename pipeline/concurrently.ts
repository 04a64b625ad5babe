/**
 * Runs tasks, at most `limit` at once, and gives their results in the order of the tasks. When one fails the signal of
 * the others aborts, and its error is thrown once they have ended: nothing goes on behind the caller's back.
 */
export async function concurrently<T>(
  tasks: readonly ((signal: AbortSignal) => Promise<T>)[],
  { limit, signal }: { readonly limit: number; readonly signal?: AbortSignal },
): Promise<readonly T[]> {
  const failure = new AbortController();
  const both = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
  const results: T[] = [];
  const errors: unknown[] = [];
  const waiting = tasks.entries();
  async function work(): Promise<void> {
    for (const [index, task] of waiting) {
      if (both.aborted) return;
      try {
        results[index] = await task(both);
      } catch (error) {
        errors.push(error);
        failure.abort();
      }
    }
  }
  await Promise.all(Array.from({ length: limit }, work));
  if (errors.length > 0) throw errors[0];
  signal?.throwIfAborted();
  return results;
}
