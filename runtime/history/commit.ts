import type { CommitSummary } from './event.ts';

const limit = 200;

/**
 * Author and subject of a commit object, as `git cat-file commit` gives it (git-commit-tree(1)): headers, an empty line, the
 * message. The name alone is shown, not the address.
 */
export function parseCommit(text: string): CommitSummary {
  const end = text.indexOf('\n\n');
  const head = end < 0 ? text : text.slice(0, end);
  const message = end < 0 ? '' : text.slice(end + 2);
  const [, author = ''] = /^author ([^<\n]*)/m.exec(head) ?? [];
  const [subject = ''] = message.trimStart().split('\n');
  return { author: oneLine(author), subject: oneLine(subject) };
}

/** A commit may hold any byte, and this goes to terminals. */
function oneLine(text: string): string {
  return text
    .replace(/\p{Cc}/gu, ' ')
    .trim()
    .slice(0, limit);
}
