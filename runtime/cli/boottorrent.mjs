#!/usr/bin/env node
// Plain JavaScript, since it must run on an older Node too: it finds the Node 24 that came with the packages.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const wantedMajor = 24;
// A clone has the sources; a package has JavaScript only, because Node strips no types below node_modules.
const main = ['main.ts', '../../dist/runtime/cli/main.js']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find(existsSync);
const bundled = findNode();

if (Number(process.versions.node.split('.')[0]) >= wantedMajor) {
  process.argv[1] = main;
  await import(pathToFileURL(main).href);
} else if (bundled !== undefined) {
  const child = spawn(bundled, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
} else {
  process.stderr.write(
    `boottorrent needs Node ${wantedMajor}, which comes with it: run "npm install" or "npm ci" again, without --omit=optional\n`,
  );
  process.exit(2);
}

function findNode() {
  const name = `node-linux-${process.arch === 'arm64' ? 'arm64' : 'x64'}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin/node');
  } catch {
    return undefined;
  }
}
