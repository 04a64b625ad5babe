/** `KEY=value` lines for the programs of the target, in /run/boottorrent/session: who started it, and as what. */
export interface SessionFile {
  readonly SERVER: string;
  readonly SESSION: string;
  readonly MAC: string;
  /** With the MAC what machine-id is made of, whichever way the OS is started. */
  readonly SITE: string;
  readonly IMAGE: string;
  readonly MANIFEST: string;
}

export function formatSessionFile(session: SessionFile): string {
  return Object.entries(session)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}
