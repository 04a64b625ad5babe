import type { TSchema } from 'typebox';
import { imageSchema } from './image-schema.ts';
import { siteSchema } from './site-schema.ts';

/** The JSON Schema files that editors use (`# yaml-language-server: $schema=…`), by file name in this folder. */
export const schemaFiles = {
  'site.schema.json': () => formatSchema(siteSchema),
  'image.schema.json': () => formatSchema(imageSchema),
} as const;

/** `wanted` is ours; editors know `description`. */
function formatSchema(schema: TSchema): string {
  const known = JSON.parse(JSON.stringify(schema), (_, value) => {
    if (typeof value !== 'object' || value === null || !('wanted' in value)) return value;
    const { wanted, ...rest } = value;
    return { ...rest, description: rest.description ?? capitalised(String(wanted)) };
  });
  return `${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...known }, null, 2)}\n`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
