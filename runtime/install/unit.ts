/** A section of a unit file: keys in order, a list for a key that stands several times. */
export type Section = Readonly<Record<string, string | number | readonly string[]>>;

/** The text of a unit file. @see systemd.syntax(7) */
export function formatUnit(comment: string, sections: Readonly<Record<string, Section>>): string {
  const parts = Object.entries(sections).map(([name, section]) => [`[${name}]`, ...lines(section), ''].join('\n'));
  return [
    `# ${comment}`,
    '# Written by "boottorrent install": change it by a drop-in (systemctl edit).',
    '',
    ...parts,
  ].join('\n');
}

/**
 * One argument of `ExecStart=`, quoted so that systemd takes it literally.
 * @see systemd.service(5), "Command lines"
 */
export function quoteArgument(text: string): string {
  const escaped = text.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[A-Za-z0-9_@%+=:,./$-]+$/.test(escaped) ? escaped : JSON.stringify(escaped);
}

function lines(section: Section): readonly string[] {
  return Object.entries(section).flatMap(([key, value]) =>
    typeof value === 'object' ? value.map((one) => `${key}=${one}`) : [`${key}=${value}`],
  );
}
