import crypto from 'node:crypto';
import { readSync, writeSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

// Loaded before a program that is to be swept: loads the dice, so that temporary files have the names that they had
// when the operation was traced, starts the one worker thread, and waits until strace is attached.
let thrown = 0;
crypto.randomBytes = (length) => crypto.createHash('shake256', { outputLength: length }).update(`${thrown++}`).digest();
syncBuiltinESMExports();
await stat('/');
writeSync(1, 'gate\n');
readSync(0, Buffer.alloc(1));
