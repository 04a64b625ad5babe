// In a network namespace where 203.0.113.5 is an address of this machine: a registry with a public address that leads to
// a private one. Prints what the client makes of it. Started by lies.real.test.ts.
import { createServer } from 'node:http';
import { digestOf } from '../../store/digest.ts';
import { openRegistry } from '../client.ts';
import { parseReference } from '../reference.ts';

const bytes = Buffer.from('inside');
const inside = createServer((_, response) => response.end(bytes)).listen(8001, '127.0.0.1');
const registry = createServer((_, response) => {
  response.writeHead(307, { location: 'http://127.0.0.1:8001/x' }).end();
}).listen(8000, '203.0.113.5');
await new Promise((resolve) => registry.once('listening', resolve));

const reference = parseReference('203.0.113.5:8000/site/boot');
const client = openRegistry({ reference, plainHttp: true, limits: { tries: 1 } });
const said = await client.getBlob(digestOf(bytes), 100).then(
  (got) => `got ${got}`,
  (error) => error.code,
);
client.close();
inside.close();
registry.close();
process.stdout.write(said);
