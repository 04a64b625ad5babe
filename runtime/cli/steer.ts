import { Command } from 'commander';
import { askSocket } from '../http/ask-socket.ts';
import { controlSocketPath } from '../state-lock.ts';
import { findPlace, type PlaceFlags, withPlace } from './builder.ts';
import { openReporter, reporting } from './report.ts';

type Flags = PlaceFlags & { readonly json: boolean };

/** `boottorrent suspend`: what is served stays, whatever is pushed. */
export function suspendCommand(): Command {
  return verb('suspend', 'Hold publishing: what is served stays, also over a restart, until "resume"').action(
    (flags: Flags) =>
      order(flags, { path: '/v1/suspend', kind: 'suspended', text: () => 'Publishing is held; serving goes on' }),
  );
}

/** `boottorrent resume`: the newest commit is published, none of those in between. */
export function resumeCommand(): Command {
  return verb('resume', 'End "suspend": the newest commit is published').action((flags: Flags) =>
    order(flags, { path: '/v1/resume', kind: 'resumed', text: () => 'The newest commit is published now' }),
  );
}

/** `boottorrent accept-history`: publishes a commit that does not descend from the published one. */
export function acceptHistoryCommand(): Command {
  return verb('accept-history', 'Publish the commit that is refused because the history was rewritten')
    .argument('[revision]', 'at least 7 digits of it, to be sure which one')
    .action((revision: string | undefined, flags: Flags) =>
      order(flags, {
        ...{ path: '/v1/accept-history', kind: 'accepted', body: { revision } },
        text: (answer) => `Accepted: revision ${answer.revision} is published next`,
      }),
    );
}

function verb(name: string, description: string): Command {
  return withPlace(new Command(name))
    .description(description)
    .option('--json', 'one JSON object a line on standard output', false);
}

interface Order {
  readonly path: string;
  readonly kind: string;
  readonly body?: object;
  readonly text: (answer: Readonly<Record<string, unknown>>) => string;
}

function order(flags: Flags, { path, kind, body = {}, text }: Order): Promise<void> {
  return reporting(flags, async () => {
    const { statePath } = await findPlace(flags);
    const answer = JSON.parse(await askSocket(controlSocketPath(statePath), path, { body: JSON.stringify(body) }));
    openReporter(flags).result(kind, answer, text(answer));
  });
}
