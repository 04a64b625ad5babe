/** One way to authenticate that a server offers in `WWW-Authenticate` (RFC 9110 §11.6.1). */
export interface Challenge {
  /** Lower case: `basic`, `bearer`. */
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** At most so much of a header is looked at. */
const limit = 4096;

/** Reads every challenge of a header; what has not the form is left out. */
export function parseChallenges(header: string): readonly Challenge[] {
  const token = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";
  const item = new RegExp(`\\s*(?:(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))|(${token}))\\s*,?`, 'y');
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  const text = header.slice(0, limit);
  while (item.lastIndex < text.length) {
    const match = item.exec(text);
    if (!match) break;
    const [, name, quoted, plain, scheme] = match;
    if (scheme !== undefined) found.push({ scheme: scheme.toLowerCase(), parameters: Object.create(null) });
    else if (name !== undefined) {
      const last = found.at(-1);
      if (last) last.parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '';
    }
  }
  return found;
}
