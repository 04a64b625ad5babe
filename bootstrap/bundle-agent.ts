import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { Fault } from '#bundle/fault.ts';

/** The agent as one module for QuickJS; `std` and `os` are QuickJS's own. The same sources give the same text. */
export async function bundleAgent(): Promise<string> {
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
