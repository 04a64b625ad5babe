import Type from 'typebox';

const closed = { additionalProperties: false } as const;
const network = Type.Optional(
  Type.Boolean({ wanted: 'true or false', description: 'Whether the step may use the network. Default: false' }),
);
const shell = Type.String({
  pattern: '^[^\\u0000]{1,10000}$',
  wanted: 'a text of 1 to 10000 characters for /bin/sh',
});
const script = Type.String({
  pattern: '^(?!/)(?!(.*/)?\\.\\.?(/|$))(?!.*//)[!-~]{1,300}$',
  wanted: 'a relative path without . and ..',
});
const step = Type.Union([shell, Type.Object({ shell, network }, closed), Type.Object({ script, network }, closed)], {
  wanted: 'a text for /bin/sh, { shell, network } or { script, network }',
});

export const runSchema = Type.Array(step, {
  maxItems: 100,
  wanted: 'a list of steps',
  description: 'Run as root inside the root filesystem, in this order, once packages and overlay are in it',
});

/** Names are those that can stand in `{{ }}`. */
export const valuesSchema = Type.Object(
  {},
  {
    patternProperties: {
      '^[a-zA-Z][a-zA-Z0-9_-]{0,62}$': Type.Union(
        [Type.String({ pattern: '^[^\\u0000]{0,4096}$' }), Type.Number(), Type.Boolean()],
        { wanted: 'a text, a number, true or false' },
      ),
    },
    additionalProperties: false,
    maxProperties: 1000,
    wanted: 'a mapping of names (letters, digits, - and _) to texts',
    description: 'What {{ name }} stands for in cmdline and in files overlay/**.tmpl',
  },
);
