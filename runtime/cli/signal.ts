/**
 * Aborts at SIGINT, SIGTERM or SIGHUP, so that what runs can clean up. Further ones change nothing: a terminal's Ctrl+C
 * comes twice, to the whole process group and once more from npm, and must not end the cleaning.
 */
export function exitOnSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort(name));
  return stop.signal;
}
