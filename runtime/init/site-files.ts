/** What a new site is made from. */
export interface NewSite {
  /** A name as `boot.config.yaml` wants it. */
  readonly name: string;
  /** The network interface on the nodes' network. */
  readonly interface: string;
  readonly publicKey: string;
  /** Name of the secret that the workflow signs with; absent where there is no workflow. */
  readonly secretName?: string;
}

/** Where an installed package keeps the schemas, seen from a site. */
const schemas = 'node_modules/boottorrent/dist/pipeline/definition';

/** The files of a new site that are not copied, by path. */
export function siteFiles(site: NewSite): Readonly<Record<string, string>> {
  return {
    'boot.config.yaml': config(site),
    'README.md': readme(site),
    '.gitignore': 'node_modules/\n.boottorrent/\n',
  };
}

/** An image definition of the project as it stands in a site: its schema is in the package there. */
export function withSiteSchema(text: string): string {
  return text.replace('$schema=../../pipeline/definition/', `$schema=../../${schemas}/`);
}

/** A directory's name as the name of a site. */
export function siteName(directory: string): string {
  const name = directory
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63);
  return name === '' ? 'site' : name;
}

/** The name of the secret in a workflow that is not the forge's own token. */
export function secretNameIn(workflow: string): string | undefined {
  return [...workflow.matchAll(/\bsecrets\.([A-Z][A-Z0-9_]+)/g)]
    .map((match) => match[1])
    .find((name) => name !== 'GITHUB_TOKEN');
}

function config({ name, interface: network, publicKey }: NewSite): string {
  return `# yaml-language-server: $schema=${schemas}/site.schema.json
site: ${name}

# The repository that this file is in. On a server of its own: https://… or ssh://…
git: { remote: "." }

network:
  # The one interface on which nodes are answered.
  interface: ${network}
  # proxy: beside the DHCP server that you have; it answers only machines that boot from the network.
  # full: gives addresses itself: dhcp: { mode: full, range: [10.20.0.100, 10.20.0.199] }
  dhcp: { mode: proxy }

# Nodes start only what one of these keys has signed. The secret half is in .boottorrent/keys, which git ignores.
trust: { publicKeys: ["${publicKey}"] }

# The kernel of the bootstrap, and so of every image with method switch-root.
bootstrap: { cmdline: "console=tty0 console=ttyS0" }

menu: { default: debian, timeout: 10s }
`;
}

function readme({ name, interface: network, secretName }: NewSite): string {
  const workflow =
    secretName === undefined
      ? ''
      : `
## Images built by the forge

\`.github/workflows/images.yml\` tells on a pull request what it would change, and on a push builds, signs and publishes.
It needs the secret key, once:

    gh secret set ${secretName} < .boottorrent/keys/minisign.key
`;
  return `# ${name}

What the machines of this site boot, by [BootTorrent](node_modules/boottorrent/README.md): \`images/\` says which operating systems there are,
\`boot.config.yaml\` who gets what over which network.

    npm install                                 # once per clone
    npx boottorrent validate                    # every fault with its line; --worktree: before the commit
    sudo npx boottorrent build                  # on Debian 12 or 13, with mmdebstrap; the first time takes minutes
    sudo npx boottorrent run                    # serves on ${network}, follows this repository
    npx boottorrent status

Change \`images/debian/image.yaml\`, commit: the running server builds, signs and serves the new version; a reboot brings it to
the machines, \`git revert\` back. The [keys of image.yaml](node_modules/boottorrent/images/README.md) by example.

## Keys

\`.boottorrent/keys/minisign.key\` signs what this site's machines start. It is in no commit: keep a copy in a safe place.
\`trust.publicKeys\` in \`boot.config.yaml\` is its public half.
${workflow}
## On a server

As root, with this repository below \`/srv\` and the package below \`/opt\`:

    apt-get install --no-install-recommends git iproute2 mmdebstrap uidmap
    mkdir /opt/boottorrent && cd /opt/boottorrent && npm install /srv/${name}/boottorrent-*.tgz
    npx boottorrent install --config /srv/${name}/boot.config.yaml --key /srv/${name}/.boottorrent/keys/minisign.key
    systemctl status boottorrent
`;
}
