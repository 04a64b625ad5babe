import { expect, it } from 'vitest';
import { parseParameters } from './parameters.ts';

const digest = 'd'.repeat(64);
const own = `bt.server=http://10.20.0.1:8480 bt.session=${'a'.repeat(32)} bt.mac=52:54:00:AA:00:01 bt.bootstrap=${digest}`;

it('parseParameters() reads the four parameters among others', () => {
  expect(parseParameters(`initrd=x console=ttyS0 ${own} quiet\n`)).toEqual({
    server: 'http://10.20.0.1:8480',
    session: 'a'.repeat(32),
    mac: '52:54:00:aa:00:01',
    bootstrap: digest,
    breaks: [],
    isDebug: false,
  });
});

it('parseParameters() reads breakpoints in any number and form, and leaves out what is none', () => {
  const parameters = parseParameters(`${own} bt.break=load,net bt.debug bt.break=verify,tea`);
  expect(parameters).toMatchObject({ breaks: ['net', 'verify', 'load'], isDebug: true });
});

it('parseParameters() takes the first of two, which a group cannot add to', () => {
  expect(parseParameters(`${own} bt.server=http://10.9.9.9:80`).server).toBe('http://10.20.0.1:8480');
});

it.each(['bt.server', 'bt.session', 'bt.mac', 'bt.bootstrap'])(
  'parseParameters() refuses a line without %s',
  (name) => {
    expect(() => parseParameters(own.replace(`${name}=`, 'no='))).toThrow(
      expect.objectContaining({ code: 'PARAMETERS_INVALID' }),
    );
  },
);

it.each(['http://boot.example:80', 'https://10.0.0.1', 'http://10.0.0.1/x', 'file:///etc'])(
  'parseParameters() refuses the server %s',
  (server) => {
    expect(() => parseParameters(own.replace('http://10.20.0.1:8480', server))).toThrow(
      expect.objectContaining({ code: 'PARAMETERS_INVALID' }),
    );
  },
);
