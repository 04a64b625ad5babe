import { openMirror } from '../mirror.ts';

/** Follows a remote once, for a test that kills this process meanwhile. */
const [path = '', address = ''] = process.argv.slice(2);
const mirror = await openMirror({ path, remote: { address }, branch: 'main', environment: process.env });
await mirror.update();
