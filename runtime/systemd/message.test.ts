import { expect, it } from 'vitest';
import { notifyLine, statusText, watchdogMs } from './message.ts';

it('notifyLine() is one line, whatever the text holds', () => {
  expect(notifyLine({ READY: '1', STATUS: 'a\nMAINPID=1\tb' })).toBe('READY=1\tSTATUS=a MAINPID=1 b\n');
});

it('statusText() says what is served, what is built and what is refused', () => {
  const revision = 'a'.repeat(40) as never;
  expect(statusText({ ready: false, faults: [] })).toBe('Nothing is published yet');
  const building = { revision, done: 1, total: 3, name: 'debian' };
  expect(statusText({ ready: true, revision, serial: 7, building, faults: [] })).toBe(
    'Serving aaaaaaaaaaaa, catalog 7; building 1 of 3: debian',
  );
  const refused = { kind: 'stalled', revision, sinceMs: 0 } as const;
  expect(statusText({ ready: false, refused, faults: [{ code: 'X', message: 'Cannot build' }] })).toContain(
    'commit aaaaaaaaaaaa is refused: Cannot build',
  );
});

it('watchdogMs() is half of what the service manager allows this process', () => {
  expect(watchdogMs({ WATCHDOG_USEC: '30000000' }, 5)).toBe(15_000);
  expect(watchdogMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '5' }, 5)).toBe(15_000);
  expect(watchdogMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '6' }, 5)).toBeUndefined();
  expect(watchdogMs({}, 5)).toBeUndefined();
});
