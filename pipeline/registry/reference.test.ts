import { expect, it } from 'vitest';
import { formatReference, isLoopback, parseReference, registryUrl, repositoryPattern } from './reference.ts';

const digest = 'a'.repeat(64);

it.each([
  ['registry.example.org/site/boot', { registry: 'registry.example.org', repository: 'site/boot' }],
  ['10.0.0.1:5000/a:v1', { registry: '10.0.0.1:5000', repository: 'a', tag: 'v1' }],
  [`docker.io/library/debian@sha256:${digest}`, { registry: 'docker.io', repository: 'library/debian', digest }],
  [`localhost/a__b/c-d:1@sha256:${digest}`, { registry: 'localhost', repository: 'a__b/c-d', tag: '1', digest }],
  ['[::1]:5000/a', { registry: '[::1]:5000', repository: 'a' }],
])('parseReference() reads %s, and formatReference() writes it', (text, reference) => {
  expect(parseReference(text)).toEqual(reference);
  expect(formatReference(parseReference(text))).toBe(text);
});

it.each([
  '',
  'debian',
  'library/debian',
  'registry.example.org/',
  'registry.example.org/Site',
  'registry.example.org/a/../b',
  'registry.example.org/a:',
  'registry.example.org/a@sha256:00',
  'registry.example.org/a b',
  'https://registry.example.org/a',
  'user@registry.example.org/a',
  `registry.example.org/${'a'.repeat(300)}`,
])('parseReference() refuses %j', (text) => {
  expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'REGISTRY_REFERENCE_INVALID' }));
});

it('repositoryPattern takes host and repository, without tag', () => {
  expect('registry.example.org:5000/site/boot').toMatch(new RegExp(repositoryPattern));
  expect('registry.example.org/site/boot:v1').not.toMatch(new RegExp(repositoryPattern));
});

it('registryUrl() knows where Docker Hub is', () => {
  expect(registryUrl('docker.io', false).href).toBe('https://registry-1.docker.io/');
  expect(registryUrl('127.0.0.1:5000', true).href).toBe('http://127.0.0.1:5000/');
});

it('isLoopback() takes no name that only begins like one', () => {
  expect(['localhost:5000', '127.0.0.1', '[::1]:1'].map(isLoopback)).toEqual([true, true, true]);
  expect(['localhost.example.org', '127.example.org', '10.0.0.1'].map(isLoopback)).toEqual([false, false, false]);
});
