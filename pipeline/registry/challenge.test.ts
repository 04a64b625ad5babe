import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseChallenges } from './challenge.ts';

it('parseChallenges() reads what registries send', () => {
  const header =
    'Bearer realm="https://auth.example.org/token",service="registry.example.org",scope="repository:a:pull,push"';
  expect(parseChallenges(header)).toEqual([
    {
      scheme: 'bearer',
      parameters: {
        realm: 'https://auth.example.org/token',
        service: 'registry.example.org',
        scope: 'repository:a:pull,push',
      },
    },
  ]);
});

it('parseChallenges() reads several, quoted marks, and values without quotes', () => {
  expect(parseChallenges('Basic realm="a \\"b\\", c", Digest qop=auth, Negotiate')).toEqual([
    { scheme: 'basic', parameters: { realm: 'a "b", c' } },
    { scheme: 'digest', parameters: { qop: 'auth' } },
    { scheme: 'negotiate', parameters: {} },
  ]);
});

it('parseChallenges() ends with any text, and no name reaches the prototype', () => {
  fc.assert(fc.property(fc.string({ maxLength: 5000 }), (text) => Array.isArray(parseChallenges(text))));
  expect(Object.keys(parseChallenges('Basic __proto__=x')[0]?.parameters ?? {})).toEqual(['__proto__']);
  expect(({} as Record<string, unknown>).x).toBeUndefined();
});
