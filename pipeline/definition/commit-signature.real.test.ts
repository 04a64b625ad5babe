import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Revision } from '#bundle/digest.ts';
import { checkSignatures, type SignaturePolicy } from './commit-signature.ts';

let folder = '';
let repository = '';
let environment: Record<string, string | undefined> = {};

function run(program: string, ...argv: readonly string[]): string {
  return execFileSync(program, argv, {
    cwd: folder,
    env: environment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}
const git = (...argv: readonly string[]) => run('git', '-C', repository, ...argv);
/** @param options of git, to sign or not */
function commit(...options: readonly string[]): Revision {
  git(...options, 'commit', '-q', '--allow-empty', '-m', 'next', ...(options.length > 0 ? ['-S'] : []));
  return git('rev-parse', 'HEAD') as Revision;
}
const ssh = (name: string) => ['-c', 'gpg.format=ssh', '-c', `user.signingKey=${join(folder, name)}.pub`];
const openpgp = (name: string) => ['-c', 'gpg.format=openpgp', '-c', `user.signingKey=${name}@example.org`];
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const signer = (name: string, options = '') =>
  `${name}@example.org ${options} ${readFileSync(join(folder, `${name}.pub`), 'utf8')}`;
const check = (next: Revision, policy: Omit<SignaturePolicy, 'verify'>, published?: Revision) =>
  checkSignatures(repository, {
    policy: { verify: published ? 'range' : 'head', ...policy },
    next,
    nowMs: Date.now(),
    ...(published && { published }),
  });
const refused = (message: string) => ({
  code: 'COMMIT_SIGNATURE_REFUSED',
  message: expect.stringContaining(message),
  retry: 'stalled',
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-sign-'));
  repository = join(folder, 'site');
  mkdirSync(join(folder, 'gnupg'), { mode: 0o700 });
  environment = {
    ...process.env,
    ...{ GNUPGHOME: join(folder, 'gnupg'), GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' },
    ...{
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@example.org',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@example.org',
    },
  };
  for (const name of ['alice', 'mallory'])
    run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(folder, name));
  for (const name of ['gpg-alice', 'gpg-mallory', 'gpg-late', 'gpg-gone']) {
    run(
      'gpg',
      '--batch',
      '--passphrase',
      '',
      '--quick-generate-key',
      `${name}@example.org`,
      'ed25519',
      'sign',
      'never',
    );
  }
  run('git', 'init', '-q', repository);
});
afterAll(async () => {
  run('gpgconf', '--kill', 'all');
  await rm(folder, { recursive: true, force: true });
});

describe('by SSH', () => {
  it('takes a commit that a known key signed', async () => {
    await check(commit(...ssh('alice')), { allowedSigners: file('signers', signer('alice')) });
    await check(commit(...ssh('alice')), { allowedSigners: file('signers', signer('alice', 'namespaces="git"')) });
  });

  it.each([
    ['that nobody signed', () => commit(), 'it is not signed'],
    ['that another key signed', () => commit(...ssh('mallory')), 'its key is not among'],
  ])('refuses a commit %s', async (_, make, message) => {
    await expect(check(make(), { allowedSigners: file('signers', signer('alice')) })).rejects.toMatchObject(
      refused(message),
    );
  });

  it('refuses the signature of another commit', async () => {
    const signed = git('cat-file', 'commit', commit(...ssh('alice')));
    const forged = file('forged', `${signed.replace('\nnext', '\nother')}\n`);
    const id = git('hash-object', '-t', 'commit', '-w', forged) as Revision;
    await expect(check(id, { allowedSigners: file('signers', signer('alice')) })).rejects.toMatchObject({
      code: 'COMMIT_SIGNATURE_REFUSED',
    });
  });

  it('refuses a key that has expired, also where the commit gives itself an older date', async () => {
    environment.GIT_COMMITTER_DATE = '2019-01-01T00:00:00Z';
    const revision = commit(...ssh('alice'));
    environment.GIT_COMMITTER_DATE = undefined;
    const expired = file('expired', signer('alice', 'valid-before="20200101"'));
    await expect(check(revision, { allowedSigners: expired })).rejects.toMatchObject(refused('its key is not among'));
    await check(revision, { allowedSigners: file('valid', signer('alice', 'valid-before="29990101"')) });
  });

  it('refuses a key that is on the list no more', async () => {
    const revision = commit(...ssh('alice'));
    await expect(check(revision, { allowedSigners: file('signers', '# nobody\n') })).rejects.toMatchObject(
      refused('its key is not'),
    );
  });

  it('believes no configuration, program or signers of the repository', async () => {
    const revision = commit(...ssh('mallory'));
    git('config', 'gpg.ssh.allowedSignersFile', file('theirs', signer('mallory')));
    git(
      'config',
      'gpg.ssh.program',
      file('liar', `#!/bin/sh\ntouch ${folder}/executed\necho 'Good "git" signature for a with b key SHA256:c'\n`),
    );
    execFileSync('chmod', ['+x', join(folder, 'liar')]);
    await expect(check(revision, { allowedSigners: file('signers', signer('alice')) })).rejects.toMatchObject({
      code: 'COMMIT_SIGNATURE_REFUSED',
    });
    expect(readdirSync(folder)).not.toContain('executed');
    for (const key of ['allowedSignersFile', 'program']) git('config', '--unset', `gpg.ssh.${key}`);
  });
});

describe('by OpenPGP', () => {
  const keys = (...names: readonly string[]) =>
    file('keys', run('gpg', '--armor', '--export', ...names.map((name) => `${name}@example.org`)));
  const fingerprint = (name: string) =>
    /^fpr:+([0-9A-F]+):/m.exec(run('gpg', '--with-colons', '--list-keys', `${name}@example.org`))?.[1] ?? '';

  it('takes a commit that a known key signed, and refuses that of another', async () => {
    const known = { openpgpKeys: keys('gpg-alice') };
    await check(commit(...openpgp('gpg-alice')), known);
    await expect(check(commit(...openpgp('gpg-mallory')), known)).rejects.toMatchObject(
      refused('its key is not among'),
    );
    await expect(check(commit(), known)).rejects.toMatchObject(refused('it is not signed'));
    await expect(check(commit(...ssh('alice')), known)).rejects.toMatchObject(refused('its key is not among'));
  });

  it('refuses a key that has expired', async () => {
    const revision = commit(...openpgp('gpg-late'));
    await check(revision, { openpgpKeys: keys('gpg-late') });
    run('gpg', '--batch', '--passphrase', '', '--quick-set-expire', fingerprint('gpg-late'), 'seconds=1');
    await new Promise((resolve) => setTimeout(resolve, 2100));
    await expect(check(revision, { openpgpKeys: keys('gpg-late') })).rejects.toMatchObject(
      refused('its key has expired'),
    );
  });

  it('refuses a key that was revoked', async () => {
    const revision = commit(...openpgp('gpg-gone'));
    const certificate = join(folder, 'gnupg', 'openpgp-revocs.d', `${fingerprint('gpg-gone')}.rev`);
    run('gpg', '--batch', '--import', file('revocation', readFileSync(certificate, 'utf8').replace(/^:/m, '')));
    await expect(check(revision, { openpgpKeys: keys('gpg-gone') })).rejects.toMatchObject(
      refused('its key was revoked'),
    );
  });
});

describe('a range', () => {
  it('is every commit since the published one: head does not see what is below it', async () => {
    const policy = { allowedSigners: file('signers', signer('alice')) };
    const published = commit(...ssh('alice'));
    const unsigned = commit();
    const next = commit(...ssh('alice'));
    await check(next, policy);
    await expect(check(next, policy, published)).rejects.toMatchObject(refused(unsigned.slice(0, 12)));
    await check(next, policy, unsigned);
    await check(next, policy, next);
  });

  it('follows first parents: a signed merge speaks for what it merges', async () => {
    const policy = { allowedSigners: file('signers', signer('alice')) };
    const published = commit(...ssh('alice'));
    git('checkout', '-q', '-b', 'draft');
    commit();
    git('checkout', '-q', '-');
    git(...ssh('alice'), 'merge', '-q', '--no-ff', '-S', '-m', 'merge', 'draft');
    await check(git('rev-parse', 'HEAD') as Revision, policy, published);
  });
});

it('keys that cannot be read refuse everything', async () => {
  for (const policy of [{ allowedSigners: '/nowhere' }, { openpgpKeys: file('keys', 'no keys') }]) {
    await expect(check(commit(...ssh('alice')), policy)).rejects.toMatchObject({ code: 'SIGNERS_UNREADABLE' });
  }
});
