/** Aborts at the first SIGINT, SIGTERM or SIGHUP, so that what runs can clean up; a second one is not waited for. */
export function exitOnSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => stop.abort(name));
  return stop.signal;
}
