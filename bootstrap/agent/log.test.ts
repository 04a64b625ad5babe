import { afterEach, expect, it } from 'vitest';
import { openFolderHost } from '../folder-host.ts';
import { openLog, withLog } from './log.ts';

const machine = openFolderHost();
afterEach(() => machine.lines.splice(0));

it('openLog() keeps the end, as printable lines', () => {
  const log = openLog(20);
  log.add('the first is lost');
  log.add('\x1b[31mred\x1b[0m');
  expect(log.text()).toHaveLength(20);
  expect(log.text()).toMatch(/\?\[31mred\?\[0m\n$/);
});

it('withLog() keeps what is printed and what goes wrong, and no more on the console', () => {
  const log = openLog();
  const host = withLog(machine, log, false);
  host.print('a line');
  host.run(['sh', '-c', 'echo fine']);
  host.run(['sh', '-c', 'echo because >&2; exit 3']);
  expect(log.text()).toBe('a line\n+ sh -c echo because >&2; exit 3 = 3\nbecause\n');
  expect(machine.lines).toEqual(['a line']);
});

it('withLog() with bt.debug prints every program and how it ended', () => {
  const host = withLog(machine, openLog(), true);
  host.run(['sh', '-c', 'echo fine']);
  expect(machine.lines).toEqual(['+ sh -c echo fine = 0\nfine']);
});
