#!/usr/bin/env node
// Plain JavaScript, since it must run on an older Node too: it finds the Node 24 that came with the packages.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const wantedMajor = 24;
const main = fileURLToPath(new URL('main.ts', import.meta.url));
const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
const bundled = fileURLToPath(new URL(`../../node_modules/node-linux-${architecture}/bin/node`, import.meta.url));

if (Number(process.versions.node.split('.')[0]) >= wantedMajor) {
  process.argv[1] = main;
  await import('./main.ts');
} else if (existsSync(bundled)) {
  const child = spawn(bundled, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
} else {
  process.stderr.write(`boottorrent needs Node ${wantedMajor}: run "npm ci" in its folder, which brings it\n`);
  process.exit(2);
}
