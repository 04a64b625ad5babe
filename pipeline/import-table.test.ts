import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, it } from 'vitest';

/** Who may import whom. The first rule whose `files` match a file is its rule; `.github/ARCHITECTURE.md` says why. */
interface Rule {
  readonly files: RegExp;
  /** Paths of this repository, or `node:…`, or package names. */
  readonly may: RegExp;
  /** `import type` may also reach these. */
  readonly mayTypes?: RegExp;
}

const contract = 'pipeline/bundle/';
const pure = [
  'pipeline/registry/(challenge|reference)',
  'runtime/boot/[^/]+',
  'runtime/dhcp/(address|answer|boot-fields|lease|options|packet|proxy|reply|request|view)',
  'runtime/tftp/(negotiate|packet|transfer)',
  'runtime/tracker/(announce|codec|needed)',
  'runtime/swarm/(policy|policy-state|wire)',
  'runtime/reconcile/(desired|diff|outcome|readiness)',
  'runtime/dashboard/view',
  'runtime/history/(commit|event|lines)',
  'runtime/repo/(hook-script|published|push)',
].join('|');
const common = `runtime/(boot/|component\\.ts|log\\.ts|metrics\\.ts|temporary\\.ts)|pipeline/(bundle|store)/`;
const shell = (folder: string): Rule => ({
  files: new RegExp(`^runtime/${folder}/`),
  may: new RegExp(`^(runtime/${folder}/|${common}|node:|[a-z@])`),
  mayTypes: /^(runtime|pipeline\/(definition|store))\//,
});

const rules: readonly Rule[] = [
  // `npm pack` runs it, no program of ours.
  { files: /^runtime\/install\/pack\.ts$/, may: /./ },
  { files: /^pipeline\/bundle\//, may: /^pipeline\/bundle\// },
  {
    files: /^pipeline\/definition\//,
    may: /^(pipeline\/(bundle|definition)\/|pipeline\/registry\/reference|node:|yaml$|typebox|ajv)/,
  },
  {
    files: /^pipeline\/(store|source)\//,
    may: /^(pipeline\/(bundle|store|source|registry|network)\/|node:|tar-stream$|undici$)/,
    mayTypes: /^pipeline\//,
  },
  { files: /^pipeline\/network\//, may: /^(pipeline\/bundle\/|node:)/ },
  { files: /^pipeline\/registry\//, may: /^(pipeline\/(bundle|store|registry|network)\/|node:)/ },
  { files: /^pipeline\//, may: /^(pipeline\/|node:|[a-z@])/, mayTypes: /./ },
  {
    files: new RegExp(`^(${pure})\\.ts$`),
    may: new RegExp(`^(${pure})\\.ts$|^${contract}`),
    mayTypes: /^pipeline\/definition\//,
  },
  ...['admin', 'dhcp', 'tftp', 'http', 'tracker', 'swarm', 'git', 'history', 'dashboard', 'reconcile', 'webhook'].map(
    shell,
  ),
  { files: /^runtime\/repo\//, may: /^(runtime\/repo\/|pipeline\/(definition|bundle)\/|node:)/ },
  { files: /^runtime\/(cli|lab|sweep)\//, may: /./ },
  { files: /^runtime\//, may: /^(runtime\/(?!cli|lab|sweep)|pipeline\/(definition|bundle|store)\/|node:|[a-z@])/ },
  { files: /^bootstrap\/agent\//, may: /^(bootstrap\/(agent|swarm-node)\/|pipeline\/bundle\/|std$|os$)/ },
  { files: /^bootstrap\/swarm-node\//, may: /^(bootstrap\/(agent|swarm-node)\/|pipeline\/bundle\/)/ },
  { files: /^bootstrap\//, may: /^(bootstrap\/|pipeline\/|node:|rolldown$)/ },
];

const files = globSync('{pipeline,runtime,bootstrap}/**/*.ts').filter(
  (file) =>
    !file.endsWith('.test.ts') &&
    !file.endsWith('.bench.ts') &&
    !file.includes('/testdata/') &&
    !file.endsWith('.d.ts'),
);
const aliases = readAliases();

it('every import of every file is in the table', () => {
  expect(files.length).toBeGreaterThan(100);
  expect(files.flatMap(violations)).toEqual([]);
});

it('every rule is about some file', () => {
  const idle = rules.filter((rule) => !files.some((file) => ruleOf(file) === rule));
  expect(idle.map((rule) => String(rule.files))).toEqual([]);
});

it('pure files ask neither clock nor dice', () => {
  const pureFiles = files.filter((file) => new RegExp(`^(${pure})\\.ts$|^${contract}`).test(file));
  const asking = pureFiles.filter((file) =>
    /\bDate\.now\(|\bMath\.random\(|\bnew Date\(\)/.test(readFileSync(file, 'utf8')),
  );
  expect(asking).toEqual([]);
});

it('a crossing between top-level folders shows in the line itself', () => {
  const hidden = files.flatMap((file) =>
    importsOf(file)
      .filter(({ from }) => from.startsWith('.') && resolve(file, from).split('/')[0] !== file.split('/')[0])
      .map(({ from }) => `${file}: ${from}`),
  );
  expect(hidden).toEqual([]);
});

function violations(file: string): string[] {
  const rule = ruleOf(file);
  if (!rule) return [`${file}: no rule`];
  return importsOf(file)
    .filter(({ from, isType }) => {
      const target = resolve(file, from);
      return !rule.may.test(target) && !(isType && rule.mayTypes?.test(target));
    })
    .map(({ from }) => `${file} imports ${from}`);
}

function ruleOf(file: string): Rule | undefined {
  return rules.find((rule) => rule.files.test(file));
}

function importsOf(file: string): { from: string; isType: boolean }[] {
  const text = readFileSync(file, 'utf8');
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm);
  const dynamic = text.matchAll(/\bimport\(\s*'([^']+)'/g);
  return [
    ...[...statements].map((match) => ({ from: match[2] ?? '', isType: match[1] !== undefined })),
    ...[...dynamic].map((match) => ({ from: match[1] ?? '', isType: false })),
  ];
}

function resolve(file: string, from: string): string {
  if (from.startsWith('.')) return normalize(join(dirname(file), from));
  const alias = aliases.find(({ prefix }) => from.startsWith(prefix));
  return alias ? alias.folder + from.slice(alias.prefix.length) : from;
}

function readAliases(): { prefix: string; folder: string }[] {
  const { imports } = JSON.parse(readFileSync('package.json', 'utf8')) as { imports: Record<string, string> };
  return Object.entries(imports).map(([key, value]) => ({
    prefix: key.replace('*', ''),
    folder: value.replace('./', '').replace('*', ''),
  }));
}
