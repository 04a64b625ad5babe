/**
 * Calls `act` at once when it was quiet, and at most once in an interval: calls meanwhile become one at its end.
 * @param clock sets a timer, and tells the time in milliseconds
 */
export function coalesce(
  act: () => void,
  {
    intervalMs,
    nowMs,
    after,
  }: { intervalMs: number; nowMs: () => number; after: (ms: number, then: () => void) => void },
): () => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  let isWaiting = false;
  const fire = () => {
    isWaiting = false;
    lastMs = nowMs();
    act();
  };
  return () => {
    if (isWaiting) return;
    const waitMs = lastMs + intervalMs - nowMs();
    if (waitMs <= 0) return fire();
    isWaiting = true;
    after(waitMs, fire);
  };
}
