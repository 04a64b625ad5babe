import Type, { type Static } from 'typebox';
import { repositoryPattern } from '../registry/reference.ts';
import { durationPattern, sizePattern } from './units.ts';

const wantedDuration = 'a number and a unit (ms, s, m, h, d), such as 15s';
const duration = (example: string) =>
  Type.String({ pattern: durationPattern, wanted: wantedDuration.replace('15s', example) });
const ipv4 = Type.String({
  pattern: '^(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\\.(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])){3}$',
  wanted: 'an IPv4 address such as 10.20.0.1',
});
const port = Type.Integer({ minimum: 1, maximum: 65535, wanted: 'a port from 1 to 65535' });

/** A name that goes into file names, the trusted comment and command lines. */
export const namePattern = '^[a-z0-9][a-z0-9-]{0,62}$';
export const name = Type.String({ pattern: namePattern, wanted: 'lower-case letters, digits and hyphens, at most 63' });

/** Printable ASCII: it goes through a boot script, and the kernel takes at most 2048 bytes in all. */
export const cmdlineForm = {
  pattern: '^[\\x20-\\x7e]{0,1500}$',
  wanted: 'a kernel command line: printable ASCII on one line, at most 1500 characters',
} as const;
export const cmdline = Type.String({ ...cmdlineForm });

export const text = Type.String({
  pattern: '^[^\\u0000-\\u001f\\u007f]{1,200}$',
  wanted: 'one line of 1 to 200 characters',
});

const closed = { additionalProperties: false } as const;

const dhcp = Type.Object(
  {
    mode: Type.Optional(
      Type.Union([Type.Literal('full'), Type.Literal('proxy'), Type.Literal('off')], {
        wanted: 'full (give addresses), proxy (beside another DHCP server) or off',
        description: 'full: give addresses; proxy: only boot files, beside another DHCP server; off. Default: full',
      }),
    ),
    range: Type.Optional(
      Type.Array(ipv4, {
        minItems: 2,
        maxItems: 2,
        wanted: 'the first and the last address, such as [10.20.0.100, 10.20.0.199]',
        description: 'First and last address to give, inside one /24 network. Needed with mode full',
      }),
    ),
    lease: Type.Optional(duration('12h')),
    router: Type.Optional(ipv4),
    dns: Type.Optional(Type.Array(ipv4, { maxItems: 8, wanted: 'a list of at most 8 IPv4 addresses' })),
    domain: Type.Optional(
      Type.String({ pattern: '^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?$', wanted: 'a domain such as lab.example.org' }),
    ),
  },
  closed,
);

const network = Type.Object(
  {
    interface: Type.String({ pattern: '^[A-Za-z0-9._-]{1,15}$', wanted: 'the name of a network interface' }),
    address: Type.Optional(ipv4),
    dhcp: Type.Optional(dhcp),
    http: Type.Optional(Type.Object({ port: Type.Optional(port) }, closed)),
    status: Type.Optional(
      Type.String({
        pattern: '^([0-9A-Za-z.-]+:[0-9]{1,5}|unix:/[!-~]{1,100})$',
        wanted: 'host:port or unix:/path',
        description: 'Where people and scrapers look, read-only. Default: 127.0.0.1:8470',
      }),
    ),
  },
  closed,
);

const match = Type.Object(
  {
    mac: Type.Optional(
      Type.Array(
        Type.String({
          pattern: '^[0-9A-Fa-f:*-]{1,17}$',
          wanted: 'a MAC address such as 52:54:00:aa:bb:cc, with * for any characters',
        }),
        { minItems: 1, maxItems: 10_000, wanted: 'a list of MAC address patterns' },
      ),
    ),
    arch: Type.Optional(
      Type.Array(Type.Union([Type.Literal('amd64'), Type.Literal('arm64')], { wanted: 'amd64 or arm64' }), {
        minItems: 1,
        maxItems: 2,
        wanted: 'a list of architectures',
      }),
    ),
  },
  closed,
);

const group = Type.Object(
  {
    name,
    match,
    image: Type.Optional(name),
    images: Type.Optional(Type.Array(name, { minItems: 1, maxItems: 1000, wanted: 'a list of images' })),
    cmdline: Type.Optional(cmdline),
  },
  { ...closed, description: 'The first group whose match fits a node is the one of that node' },
);

/** Read on this machine, at the path that its own file names; never from a commit. */
const diskPath = (description: string) =>
  Type.String({ minLength: 1, maxLength: 1000, wanted: 'a path, from the folder of this file', description });

const git = Type.Object(
  {
    remote: Type.Optional(
      Type.String({
        // A closed list of transports: git itself would run a program for "ext::".
        pattern: '^(\\.|/[!-~]+|(https|ssh|file)://[!-~]+|[A-Za-z0-9_.]+@[A-Za-z0-9.-]+:[!-~]+)$',
        maxLength: 1000,
        wanted: '"." (the repository of this file), a path, or an address by https or ssh',
      }),
    ),
    branch: Type.Optional(
      Type.String({
        pattern: '^(?!.*(\\.\\.|//|@\\{|\\.lock$|/$))[A-Za-z0-9_][A-Za-z0-9._/-]{0,200}$',
        wanted: 'the name of a branch',
      }),
    ),
    poll: Type.Optional(duration('15s')),
    verify: Type.Optional(
      Type.Union([Type.Literal('off'), Type.Literal('head'), Type.Literal('range')], {
        wanted: 'off, head (the commit itself) or range (every commit since the published one)',
        description: 'Which commits must be signed by a known key. Default: off',
      }),
    ),
    allowedSigners: Type.Optional(
      diskPath('SSH keys whose signatures count: a file as in ssh-keygen(1), ALLOWED SIGNERS'),
    ),
    openpgpKeys: Type.Optional(diskPath('OpenPGP keys whose signatures count: a file of public keys')),
    webhook: Type.Optional(
      Type.Object(
        { secretFile: diskPath('Holds the secret that the forge signs with, at least 16 characters') },
        { ...closed, wanted: 'a mapping with secretFile', description: 'Takes POST /hooks/git at network.status' },
      ),
    ),
  },
  closed,
);

const timeout = Type.Union([Type.Literal(-1), duration('10s')], {
  wanted: 'a duration such as 10s, or -1 to wait for ever',
});

const sources = Type.Object(
  {
    hosts: Type.Optional(
      Type.Array(Type.String({ pattern: '^[A-Za-z0-9.:-]{1,253}$', wanted: 'a host name or an address' }), {
        maxItems: 100,
        wanted: 'a list of hosts',
        description:
          'Hosts with private addresses that images may be fetched from: a registry of the site, for instance',
      }),
    ),
    directories: Type.Optional(
      Type.Array(Type.String({ pattern: '^/[!-~]{1,1000}$', wanted: 'an absolute path' }), {
        maxItems: 100,
        wanted: 'a list of directories',
        description: 'Where root trees of source.directory may lie on the builder. Whatever is there can be published',
      }),
    ),
    plainHttp: Type.Optional(
      Type.Array(Type.String({ pattern: '^[A-Za-z0-9.:-]{1,253}$', wanted: 'a host name or an address' }), {
        maxItems: 100,
        wanted: 'a list of hosts',
        description: 'Registries without TLS. What is fetched by digest is checked all the same; passwords go in clear',
      }),
    ),
    commands: Type.Optional(
      Type.Boolean({ wanted: 'true or false', description: 'Whether source.command may run programs. Default: false' }),
    ),
  },
  { ...closed, description: 'What images may reach on the builder: counts in the file on its disk, never in a commit' },
);

export const siteSchema = Type.Object(
  {
    site: name,
    suspend: Type.Optional(
      Type.Boolean({
        wanted: 'true or false',
        description: 'Holds publishing: what is served stays, until a commit without it. Default: false',
      }),
    ),
    git: Type.Optional(git),
    network,
    store: Type.Optional(
      Type.Object(
        {
          path: Type.Optional(Type.String({ minLength: 1, maxLength: 1000, wanted: 'a path' })),
          oci: Type.Optional(
            Type.String({
              ...{ pattern: repositoryPattern, maxLength: 300 },
              wanted: 'host and repository of a registry, such as registry.example.org/site/boot',
              description: 'OCI registry that published bundles are pushed to, and that a runtime takes them from',
            }),
          ),
          credentials: Type.Optional(
            Type.String({
              ...{ minLength: 1, maxLength: 1000, wanted: 'a path' },
              description: 'File in the form of docker’s config.json. Default: the environment, then docker’s own',
            }),
          ),
          plainHttp: Type.Optional(
            Type.Boolean({
              wanted: 'true or false',
              description: 'Speak HTTP with the registry. Default: false, but true for one on this machine',
            }),
          ),
          keep: Type.Optional(
            Type.Integer({
              ...{ minimum: 3, maximum: 1000, wanted: 'a whole number from 3 to 1000' },
              description:
                'Catalogs of different content that stay in the store. Set: garbage is collected after each publish. Default: never of itself',
            }),
          ),
        },
        closed,
      ),
    ),
    build: Type.Optional(
      Type.Union([Type.Literal('local'), Type.Literal('registry')], {
        wanted: 'local or registry',
        description:
          'local: this machine builds a new commit; registry: it waits until the registry has it. Default: registry where store.oci is set, else local',
      }),
    ),
    trust: Type.Optional(
      Type.Object(
        {
          publicKeys: Type.Optional(
            Type.Array(Type.String({ maxLength: 200, wanted: 'a public key' }), { maxItems: 20 }),
          ),
        },
        closed,
      ),
    ),
    bootstrap: Type.Optional(Type.Object({ cmdline: Type.Optional(cmdline) }, closed)),
    menu: Type.Object(
      {
        default: name,
        timeout: Type.Optional(timeout),
        shell: Type.Optional(
          Type.Boolean({
            wanted: 'true or false',
            description: 'Whether Escape in the menu gives a shell. Default: false',
          }),
        ),
      },
      closed,
    ),
    swarm: Type.Optional(
      Type.Object(
        {
          seedBudget: Type.Optional(duration('30s')),
          uploadLimit: Type.Optional(
            Type.String({
              pattern: sizePattern,
              wanted: 'a size such as 20M',
              description: 'Bytes per second that a node whose OS is up sends to others at most. Default: no limit',
            }),
          ),
        },
        closed,
      ),
    ),
    sources: Type.Optional(sources),
    groups: Type.Optional(Type.Array(group, { maxItems: 10_000, wanted: 'a list of groups' })),
  },
  { ...closed, title: 'boot.config.yaml', wanted: 'a mapping with site, network and menu' },
);

/** The file as written, before defaults. */
export type SiteFile = Static<typeof siteSchema>;
