/** Tells listeners that something has changed: at once when it was quiet, else at most once a second. */
export interface Changes {
  tell(): void;
  /** Returns how to end it. */
  subscribe(listener: () => void): () => void;
}

const intervalMs = 1000;

export function openChanges(): Changes {
  const listeners = new Set<() => void>();
  let lastMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  function fire(): void {
    timer = undefined;
    lastMs = performance.now();
    for (const listener of listeners) listener();
  }
  return {
    tell() {
      if (timer || listeners.size === 0) return;
      timer = setTimeout(fire, Math.max(20, lastMs + intervalMs - performance.now())).unref();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
