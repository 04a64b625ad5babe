import Type, { type Static } from 'typebox';
import { runSchema, valuesSchema } from './run-schema.ts';
import { cmdline, text } from './site-schema.ts';
import { sourceSchema } from './source-schema.ts';
import { execSchema, kexecSchema, methodSchema, qemuSchema, size, switchRootSchema } from './start-schema.ts';
import { durationPattern } from './units.ts';

const closed = { additionalProperties: false } as const;

const description = Type.String({
  pattern: '^[^\\u0000-\\u0009\\u000b-\\u001f\\u007f]{1,2000}$',
  wanted: 'a text of 1 to 2000 characters',
  description: 'More than the title, for a person who chooses',
});

const limit = Type.String({ pattern: durationPattern, wanted: 'a number and a unit (ms, s, m, h, d), such as 5m' });
const expected = Type.Union([Type.Literal('heartbeat'), Type.Object({ heartbeat: limit }, closed)], {
  wanted: 'heartbeat, or { heartbeat: 5m }',
  description: 'A node whose OS does not report within this time (default: 5m) counts as failed',
});

export const imageSchema = Type.Object(
  {
    title: text,
    description: Type.Optional(description),
    arch: Type.Union([Type.Literal('amd64'), Type.Literal('arm64')], { wanted: 'amd64 or arm64' }),
    method: methodSchema,
    kexec: Type.Optional(kexecSchema),
    'switch-root': Type.Optional(switchRootSchema),
    qemu: Type.Optional(qemuSchema),
    exec: Type.Optional(execSchema),
    source: Type.Optional(sourceSchema),
    run: Type.Optional(runSchema),
    values: Type.Optional(valuesSchema),
    cmdline: Type.Optional(cmdline),
    memory: Type.Optional(size('128M', 'RAM that the running system asks for, besides its files. Default: 96M')),
    expect: Type.Optional(expected),
    lab: Type.Optional(
      Type.Object(
        { expect: Type.Optional(Type.String({ minLength: 1, maxLength: 200, wanted: 'a text of the console' })) },
        closed,
      ),
    ),
  },
  { ...closed, title: 'image.yaml', wanted: 'a mapping with title, arch, method and source' },
);

/** The file as written, before defaults. */
export type ImageFile = Static<typeof imageSchema>;
