import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { schemaFiles } from './json-schema.ts';

// `vitest run -u` writes the files anew.
test.each(Object.entries(schemaFiles))('%s is what the TypeBox source says', async (name, format) => {
  await expect(format()).toMatchFileSnapshot(name);
});

test('the schema files are JSON Schema that any validator takes, and hold for the files that ship', () => {
  const check = (schema: string, file: string) => {
    const validate = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false }).compile(
      JSON.parse(readFileSync(new URL(schema, import.meta.url), 'utf8')),
    );
    expect(validate(parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'))), file).toBe(true);
    expect(validate({ unknown: 1 })).toBe(false);
  };
  check('site.schema.json', 'boot.config.yaml');
  check('image.schema.json', 'images/debian/image.yaml');
});
