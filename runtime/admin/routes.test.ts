import { expect, it } from 'vitest';
import { adminRoutes } from './routes.ts';

const nothing = () => {
  throw new TypeError('Not called');
};

it('adminRoutes() is a closed table, and no request of it is large', () => {
  const actions = {
    ...{ poke: nothing, suspend: nothing, resume: nothing },
    ...{ acceptHistory: nothing, gc: nothing, drain: nothing },
  };
  const routes = adminRoutes(actions);
  expect(routes.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual([
    'POST /v1/accept-history',
    'POST /v1/drain',
    'POST /v1/gc',
    'POST /v1/poke',
    'POST /v1/resume',
    'POST /v1/suspend',
  ]);
  expect(Math.max(...routes.map(({ bodyLimitBytes }) => bodyLimitBytes))).toBeLessThanOrEqual(1024);
});
