import { expect, it } from 'vitest';
import { currentSigners, signatureProblem } from './signature-report.ts';

const good = '[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG AB a\n[GNUPG:] VALIDSIG AB 2026-01-01\n';

it.each([
  [0, good, undefined],
  [1, good, 'does not hold'],
  [0, good + good, 'does not hold'],
  [0, `${good}[GNUPG:] REVKEYSIG AB a\n`, 'revoked'],
  [0, '[GNUPG:] GOODSIG AB a\n', 'does not hold'],
  [0, 'Good "git" signature for a@b with ED25519 key SHA256:x+/y\n', undefined],
  [1, 'Good "git" signature for a@b with ED25519 key SHA256:x\n', 'does not hold'],
  [0, 'Good "git" signature with ED25519 key SHA256:x\nNo principal matched.\n', 'not among'],
  [0, '', 'not signed'],
])('signatureProblem() of status %i and %j', (status, said, problem) => {
  if (problem === undefined) expect(signatureProblem(status, said)).toBeUndefined();
  else expect(signatureProblem(status, said)).toContain(problem);
});

it('currentSigners() leaves out what holds no more or not yet, and what it cannot read', () => {
  const lines = [
    'a ssh-ed25519 A',
    'b valid-before="20260101" ssh-ed25519 B',
    'c valid-before="20260101123000Z",namespaces="git" ssh-ed25519 C',
    'd valid-after=20270101 ssh-ed25519 D',
    'e valid-before="soon" ssh-ed25519 E',
    'f namespaces="git",valid-after="20200101",valid-before="20300101" ssh-ed25519 F',
  ];
  const at = (iso: string) =>
    currentSigners(lines.join('\n'), Date.parse(iso))
      .replace(/^(.).*$/gm, '$1')
      .split('\n')
      .join('');
  expect(at('2025-06-01T00:00:00Z')).toBe('abcf');
  expect(at('2026-01-01T12:00:00Z')).toBe('acf');
  expect(at('2028-01-01T00:00:00Z')).toBe('adf');
});
