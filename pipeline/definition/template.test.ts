import { expect, test } from 'vitest';
import { formatFault } from '#bundle/fault.ts';
import { expandTemplate, templateFaults } from './template.ts';

test('expandTemplate() puts declared values in, and looks at nothing twice', () => {
  const values = { name: 'lab', open: '{{', again: '{{ name }}' };
  expect(expandTemplate('a {{ name }} {{name}} {{ again }} {{ open }} } $name %name', values)).toEqual({
    text: 'a lab lab {{ name }} {{ } $name %name',
    problems: [],
  });
});

test.each([
  ['{{ PATH }}', '"PATH" is not declared'],
  ['{{ toString }}', '"toString" is not declared'],
  ['{{ __proto__ }}', '"{{" without a name'],
  ['{{ name | upper }}', '"{{" without a name'],
  ['{{ process.env.HOME }}', '"{{" without a name'],
  ['{{ name', '"{{" without a name'],
])('expandTemplate() has a fault for %s', (text, wanted) => {
  const { text: left, problems } = expandTemplate(text, { name: 'lab' });
  expect(left).toBe(text);
  expect(problems[0]?.message).toContain(wanted);
});

test('templateFaults() say line and column, and the name that was probably meant', () => {
  const [fault, ...more] = templateFaults('images/a/overlay/etc/x.tmpl', 'one\ntwo {{ nmae }}\n', { name: 'x' });
  expect(more).toEqual([]);
  expect(formatFault(fault!)).toBe(
    'images/a/overlay/etc/x.tmpl:2:5: Cannot use the template: the value "nmae" is not declared: expected one of name',
  );
  expect(fault).toMatchObject({ code: 'TEMPLATE_INVALID', hint: 'Write {{ name }}', retry: 'stalled' });
});
