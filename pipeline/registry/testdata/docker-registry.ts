import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const account = { user: 'ci', password: 'the-secret-word' } as const;

/** Debian's docker-registry on a port of its own. */
export interface TestRegistry {
  /** `127.0.0.1:port` */
  readonly host: string;
  readonly directory: string;
  /** What it wrote to its log so far. */
  log(): string;
  close(): Promise<void>;
}

/** @param auth what it asks of its users: nothing, Basic, or a token of a small server beside it */
export async function startRegistry(auth: 'none' | 'basic' | 'token' = 'none'): Promise<TestRegistry> {
  const directory = mkdtempSync(join(tmpdir(), 'bt-registry-'));
  const port = await freePort();
  const tokens = auth === 'token' ? await startTokens(directory) : undefined;
  const lines = [
    'version: 0.1',
    'log: { level: info, accesslog: { disabled: false } }',
    `storage: { filesystem: { rootdirectory: ${directory}/data }, delete: { enabled: true } }`,
    `http: { addr: "127.0.0.1:${port}" }`,
    ...(auth === 'basic' ? [`auth: { htpasswd: { realm: test, path: ${htpasswd(directory)} } }`] : []),
    ...(tokens ? [`auth: { token: ${JSON.stringify(tokens.settings)} }`] : []),
  ];
  writeFileSync(join(directory, 'config.yml'), lines.join('\n'));
  let log = '';
  const child = spawn('docker-registry', ['serve', join(directory, 'config.yml')], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (log += chunk));
  await answering(`http://127.0.0.1:${port}/v2/`, child, () => log);
  return {
    host: `127.0.0.1:${port}`,
    directory,
    log: () => log,
    async close() {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await ended;
      tokens?.server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function htpasswd(directory: string): string {
  const path = join(directory, 'htpasswd');
  writeFileSync(path, execFileSync('htpasswd', ['-nbB', account.user, account.password]));
  return path;
}

async function answering(url: string, child: ChildProcess, log: () => string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended: ${log()}`);
    if (await fetch(url).then(() => true, () => false)) return;
    await sleep(50);
  }
  throw new Error(`docker-registry does not answer: ${log()}`);
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * A token server (https://distribution.github.io/distribution/spec/auth/jwt/): who knows the account gets what was
 * asked for, anybody else only reading.
 */
async function startTokens(directory: string): Promise<{ server: Server; settings: object }> {
  const { key, certificate } = makeCertificate(directory);
  const x5c = [new X509Certificate(readFileSync(certificate)).raw.toString('base64')];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://127.0.0.1');
    const isKnown = request.headers.authorization === `Basic ${Buffer.from(`${account.user}:${account.password}`).toString('base64')}`;
    if (request.headers.authorization !== undefined && !isKnown) return response.writeHead(401).end();
    const [type = '', name = '', actions = ''] = (url.searchParams.get('scope') ?? '').split(':');
    const access = [{ type, name, actions: actions.split(',').filter((one) => isKnown || one === 'pull') }];
    const nowS = Math.floor(Date.now() / 1000);
    const claims = { iss: 'test', sub: 'ci', aud: url.searchParams.get('service'), jti: randomBytes(8).toString('hex'), access };
    const times = { iat: nowS, nbf: nowS - 10, exp: nowS + 300 };
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${part({ typ: 'JWT', alg: 'RS256', x5c })}.${part({ ...claims, ...times })}`;
    const token = `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
    response.end(JSON.stringify({ token, expires_in: 300 }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  return { server, settings: { realm, service: 'test-registry', issuer: 'test', rootcertbundle: certificate } };
}

function makeCertificate(directory: string) {
  mkdirSync(directory, { recursive: true });
  const keyPath = join(directory, 'token.key');
  const certificate = join(directory, 'token.crt');
  if (!existsSync(keyPath)) {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(keyPath, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const subject = ['-subj', '/CN=test', '-days', '2'];
    execFileSync('openssl', ['req', '-x509', '-key', keyPath, '-out', certificate, ...subject], { stdio: 'pipe' });
  }
  return { key: createPrivateKey(readFileSync(keyPath)), certificate };
}
