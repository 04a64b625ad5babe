import crypto from 'node:crypto';
import { readSync, writeSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

// Loaded before a program that is to be swept: loads the dice and holds the clock, so that temporary files, keys and
// catalogs are those of the traced operation, starts the one worker thread, and waits until strace is attached.
let thrown = 0;
crypto.randomBytes = (length) => crypto.createHash('shake256', { outputLength: length }).update(`${thrown++}`).digest();
// PKCS#8 of an Ed25519 key (RFC 8410) whose seed is zeros.
const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32)]);
crypto.generateKeyPairSync = () => ({
  privateKey: crypto.createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }),
});
syncBuiltinESMExports();
const nowMs = Number(process.env.SWEEP_CLOCK_MS);
Date.now = () => nowMs;
await stat('/');
writeSync(1, 'gate\n');
readSync(0, Buffer.alloc(1));
