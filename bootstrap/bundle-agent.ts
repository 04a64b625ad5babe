import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Fault } from '#bundle/fault.ts';

/**
 * The agent as one module for QuickJS; `std` and `os` are QuickJS's own. The same sources give the same text. An
 * installed package brings that text instead of the sources.
 */
export async function bundleAgent(): Promise<string> {
  const packed = await readFile(new URL('agent.js', import.meta.url), 'utf8').catch(() => undefined);
  return packed ?? bundleSources();
}

async function bundleSources(): Promise<string> {
  const { rolldown } = await import('rolldown');
  const bundle = await rolldown({
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    input: 'bootstrap/agent/main.ts',
    external: ['std', 'os'],
    platform: 'neutral',
  });
  try {
    const { output } = await bundle.generate({ format: 'esm' });
    const [chunk, ...others] = output;
    if (others.length === 0) return chunk.code;
    throw new Fault('AGENT_UNBUNDLED', 'Cannot bundle the agent: it does not fit one module');
  } finally {
    await bundle.close();
  }
}
