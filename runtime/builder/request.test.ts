import { expect, it } from 'vitest';
import { Fault } from '#bundle/fault.ts';
import { type BuildRequest, formatRequest, parseRequest, requestOf } from './request.ts';

const revision = 'a'.repeat(40) as never;
const requests: readonly BuildRequest[] = [
  { verb: 'publish', revision, acceptHistory: true },
  { verb: 'pull', revision, acceptHistory: false },
  { verb: 'keygen' },
  { verb: 'gc', inUse: '[]', keep: 5, dryRun: true },
];
const noFile = () => Promise.reject(new Error('no file is wanted'));

it.each(requests)('parseRequest() reads back $verb', (request) => {
  expect(parseRequest(formatRequest(request))).toEqual(request);
});

it.each([
  ...[
    '',
    'null',
    '[]',
    '{}',
    '{"verb":"run"}',
    '{"verb":"publish"}',
    '{"verb":"publish","revision":"HEAD","acceptHistory":false}',
  ],
  ...[
    '{"verb":"publish","revision":"--help","acceptHistory":false}',
    '{"verb":"pull","acceptHistory":false}',
    '{"verb":"keygen","state":"/etc"}',
    '{"verb":"gc"}',
  ],
  `{"verb":"publish","revision":"${'a'.repeat(40)}","acceptHistory":false,"repository":"/tmp/evil"}`,
])('parseRequest() refuses %s', (text) => {
  expect(() => parseRequest(text)).toThrow(Fault);
});

it('requestOf() takes nothing but the revision from the arguments', async () => {
  const argv = ['publish', '--config', '/c', '--repository', '/evil', '--revision', revision, '--json'];
  expect(await requestOf(argv, noFile)).toEqual({ verb: 'publish', revision, acceptHistory: false });
  expect(await requestOf([...argv, '--accept-history'], noFile)).toMatchObject({ acceptHistory: true });
  expect(await requestOf(['keygen', '--state', '/s', '--json'], noFile)).toEqual({ verb: 'keygen' });
  expect(await requestOf(['gc', '--in-use', '/f'], async (path) => `text of ${path}`)).toEqual({
    verb: 'gc',
    inUse: 'text of /f',
    dryRun: false,
  });
  await expect(requestOf(['shell'], noFile)).rejects.toThrow('no verb "shell"');
});
