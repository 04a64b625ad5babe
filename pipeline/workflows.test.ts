import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<
    Record<
      string,
      { readonly permissions?: Readonly<Record<string, string>>; readonly if?: string; readonly steps: readonly Step[] }
    >
  >;
}

const folder = new URL('../.github/workflows/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.yml'));

/** What a job may be allowed, beyond reading the repository. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  'images.yml comment': ['pull-requests: write'],
  'images.yml publish': ['packages: write'],
};

it('there are workflows to look at', () => {
  expect(files).toEqual(expect.arrayContaining(['check.yml', 'images.yml']));
});

describe.each(files)('%s', (file) => {
  const text = readFileSync(new URL(file, folder), 'utf8');
  const workflow = parse(text) as Workflow;
  const jobs = Object.entries(workflow.jobs);
  const steps = jobs.flatMap(([, job]) => job.steps);

  it('uses every action by its commit, and says which version that is', () => {
    const uses = text.split('\n').filter((line) => /\buses:/.test(line));
    expect(uses.length).toBe(steps.filter((step) => step.uses !== undefined).length);
    expect(uses.filter((line) => !/uses: [\w-]+\/[\w/.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([]);
  });

  it('allows no job more than it needs', () => {
    const granted = ({ permissions = {} }: { permissions?: Readonly<Record<string, string>> }) =>
      Object.entries(permissions).map(([name, access]) => `${name}: ${access}`);
    expect(granted(workflow).filter((one) => one !== 'contents: read')).toEqual([]);
    for (const [name, job] of jobs) {
      const more = granted(job).filter((one) => one !== 'contents: read');
      expect({ name, more }).toEqual({ name, more: allowed[`${file} ${name}`] ?? [] });
    }
  });

  it('lets no text of strangers into a script, and leaves no token in the clone', () => {
    expect(Object.keys(workflow.on)).not.toContain('pull_request_target');
    expect(steps.filter(({ run }) => run?.includes('${{')).map(({ run }) => run)).toEqual([]);
    const clones = steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'));
    expect(clones.length).toBeGreaterThan(0);
    for (const clone of clones) expect(clone.with?.['persist-credentials']).toBe(false);
  });
});

it('images.yml gives the signing key to one step, which a pull request never comes to', () => {
  const { jobs } = parse(readFileSync(new URL('images.yml', folder), 'utf8')) as Workflow;
  const holders = Object.entries(jobs).flatMap(([name, job]) =>
    job.steps.filter((step) => JSON.stringify(step).includes('secrets.')).map((step) => ({ name, job, step })),
  );
  expect(holders.map(({ name }) => name)).toEqual(['publish']);
  expect(holders[0]?.job.if).toBe("github.event_name == 'push'");
  // Written so that only its owner can read it, and gone whatever comes.
  const script = holders[0]?.step.run ?? '';
  expect(script.indexOf('umask 077')).toBeGreaterThan(0);
  expect(script.indexOf('umask 077')).toBeLessThan(script.indexOf('>"$work/minisign.key"'));
  expect(script).toContain(`trap 'rm -rf "$work"' EXIT`);
});
