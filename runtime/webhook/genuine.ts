import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export type HookHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Whether a webhook comes from somebody who knows the secret: GitHub (`X-Hub-Signature-256: sha256=<hex>`), Gitea and Forgejo
 * (`X-Gitea-Signature`, `X-Forgejo-Signature`: `<hex>`), each an HMAC-SHA-256 of the body as it came; GitLab (`X-Gitlab-Token`: the
 * secret itself). Takes the same time whatever is wrong.
 */
export function isGenuine({ headers, body, secret }: { headers: HookHeaders; body: Buffer; secret: string }): boolean {
  const wanted = createHmac('sha256', secret).update(body).digest('hex');
  const github = one(headers['x-hub-signature-256']);
  if (github !== undefined) return isSame(github, `sha256=${wanted}`);
  const gitea = one(headers['x-forgejo-signature']) ?? one(headers['x-gitea-signature']);
  if (gitea !== undefined) return isSame(gitea, wanted);
  const gitlab = one(headers['x-gitlab-token']);
  return gitlab !== undefined && isSame(gitlab, secret);
}

/** By digests, which have one length: a difference in length shows in no time either. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

function one(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}
