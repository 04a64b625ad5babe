/**
 * What `git verify-commit --raw` says of one commit. Only one good signature by a known key counts, and nothing beside it: the exit
 * status alone is that of programs whose versions differ in what they call good.
 * @returns why the signature does not count; undefined: it does
 */
export function signatureProblem(status: number | null, said: string): string | undefined {
  const openpgp = [...said.matchAll(/^\[GNUPG:\] (\w+)/gm)].map(([, word = '']) => word);
  if (openpgp.length > 0) return openpgpProblem(status, openpgp);
  if (status === 0 && /^Good "git" signature for \S.* with \S+ key SHA256:\S+$/m.test(said)) return undefined;
  if (said.trim() === '') return 'it is not signed';
  if (/^Good "git" signature with |No principal matched|no principal/im.test(said)) return unknownKey;
  return `its signature does not hold: ${said.trim().split('\n')[0]?.slice(0, 200)}`;
}

const unknownKey = 'its key is not among those that the site names, or not any more';
const problems: Readonly<Record<string, string>> = {
  BADSIG: 'its signature does not belong to it',
  REVKEYSIG: 'its key was revoked',
  EXPKEYSIG: 'its key has expired',
  EXPSIG: 'its signature has expired',
  ERRSIG: unknownKey,
  NO_PUBKEY: unknownKey,
};

function openpgpProblem(status: number | null, words: readonly string[]): string | undefined {
  const found = Object.keys(problems).find((word) => words.includes(word));
  if (found !== undefined) return problems[found];
  const isGood = words.filter((word) => word === 'GOODSIG').length === 1 && words.includes('VALIDSIG');
  return status === 0 && isGood ? undefined : 'its signature does not hold';
}

/**
 * The lines of an allowed-signers file that hold now. git asks ssh-keygen about the date that a commit gives itself, which
 * whoever stole an expired key may choose.
 */
export function currentSigners(text: string, nowMs: number): string {
  const isCurrent = (line: string) =>
    timeOf(line, 'valid-before', Number.POSITIVE_INFINITY) > nowMs && timeOf(line, 'valid-after', 0) <= nowMs;
  return text.split('\n').filter(isCurrent).join('\n');
}

/** `YYYYMMDD[HHMM[SS]][Z]`, read as UTC (ssh-keygen(1), TIME FORMATS). */
function timeOf(line: string, option: string, absent: number): number {
  if (!new RegExp(`\\b${option}=`, 'i').test(line)) return absent;
  const [, year, month, day, hour = '00', minute = '00', second = '00'] =
    new RegExp(`\\b${option}="?(\\d{4})(\\d\\d)(\\d\\d)(?:(\\d\\d)(\\d\\d)(\\d\\d)?)?Z?"?(?=[\\s,])`, 'i').exec(line) ??
    [];
  // A date that cannot be read makes a line that does not hold.
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
