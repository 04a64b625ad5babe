import { readFileSync } from 'node:fs';

const text = readFileSync(new URL('page.html', import.meta.url), 'utf8');

/** The status page: one file without outside parts, kept up to date by `/v1/events`. */
export function page(): string {
  return text;
}
