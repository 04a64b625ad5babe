import type { Fault } from '#bundle/fault.ts';
import { definitionFault } from './faults.ts';
import { suggestion } from './suggestion.ts';

export type Values = Readonly<Record<string, string>>;

export interface Expanded {
  readonly text: string;
  /** What is wrong, by the offset of its `{{` in the template. */
  readonly problems: readonly { readonly offset: number; readonly message: string; readonly hint: string }[];
}

/** Files of an overlay whose names end so are templates; the ending is dropped. */
export const templateEnding = '.tmpl';

/**
 * Puts values in the place of `{{ name }}`. There is nothing else in this language: no environment, no conditions, no
 * code; and what a value brings is not looked at again.
 */
export function expandTemplate(text: string, values: Values): Expanded {
  const problems: Expanded['problems'][number][] = [];
  const names = Object.keys(values);
  const expanded = text.replace(/\{\{(?:[ \t]*([a-zA-Z][a-zA-Z0-9_-]*)[ \t]*\}\})?/g, (whole, name, offset: number) => {
    if (name !== undefined && Object.hasOwn(values, name)) return values[name] ?? '';
    problems.push({ offset, ...problemOf(name, names) });
    return whole;
  });
  return { text: expanded, problems };
}

function problemOf(name: string | undefined, names: readonly string[]): { message: string; hint: string } {
  if (name === undefined) {
    const hint = 'Write {{ name }} with the name of a value; for two braces themselves declare a value that holds them';
    return { message: '"{{" without a name and "}}"', hint };
  }
  const expected = names.length > 0 ? `expected one of ${names.slice(0, 20).join(', ')}` : 'no values are declared';
  const meant = suggestion(name, names);
  const hint = meant === undefined ? `Add values: { ${name}: … } to image.yaml` : `Write {{ ${meant} }}`;
  return { message: `the value ${JSON.stringify(name)} is not declared: ${expected}`, hint };
}

/** What is wrong with a template file, each with its line and column. */
export function templateFaults(file: string, text: string, values: Values): readonly Fault[] {
  return expandTemplate(text, values).problems.map(({ offset, message, hint }) => {
    const before = text.slice(0, offset).split('\n');
    const location = { file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
    return definitionFault('TEMPLATE_INVALID', `Cannot use the template: ${message}`, { location, hint });
  });
}
