import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startProcess, token } from '../test/support/process.ts';
import { connectable } from './wait.ts';

/** A server under measure: GET and PUT of files at `path(name)`. */
export interface Subject {
  readonly name: string;
  readonly promises: string;
  readonly host: string;
  readonly port: number;
  readonly path: (name: string) => string;
  readonly headers: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Starts a server with this directory to itself, or says why it can't be had here. */
export type Start = (directory: string) => Promise<Subject | string>;

const plain = (name: string) => `/${name}`;

export const workspaced: Start = async (directory) => {
  const daemon = await startProcess(join(directory, 'root'), { TENANT_QUOTA_BYTES: '0' });
  const { hostname, port } = new URL(daemon.url);
  return {
    name: 'workspaced',
    promises: 'token, quota, confinement, sha256, fsync',
    host: hostname,
    port: Number(port),
    path: (name) => `/agent/bench/filesystem/files/${name}?raw=true&upsert=true`,
    headers: { authorization: `Bearer ${token({ tenant: 'bench' })}`, 'content-type': 'application/octet-stream' },
    stop: async () => void (await daemon.stop()),
  };
};

export const control: Start = async (directory) => {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./control.ts', import.meta.url)), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface(child.stdout), 'line');
  const { hostname, port } = new URL(String(line).replace('listening on ', ''));
  return {
    name: 'node:http',
    promises: 'fsync',
    host: hostname,
    port: Number(port),
    path: plain,
    headers: {},
    stop: ending(child),
  };
};

export const nginx: Start = async (directory) => {
  const build = output('nginx', '-V');
  if (build === null) return 'nginx: absent (Debian: apt-get install nginx-light)';
  if (!build.includes('http_dav_module')) return 'nginx: built without PUT (--with-http_dav_module)';
  const port = await freePort();
  const files = join(directory, 'files');
  await mkdir(files);
  await writeFile(join(directory, 'nginx.conf'), nginxConf(directory, files, port));
  const child = spawn('nginx', ['-p', directory, '-c', 'nginx.conf', '-e', 'error.log'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await connectable(port);
  return {
    name: 'nginx, 2 workers',
    promises: 'none',
    host: '127.0.0.1',
    port,
    path: plain,
    headers: {},
    stop: ending(child),
  };
};

export const rclone: Start = async (directory) => {
  if (output('rclone', 'version') === null) return 'rclone: absent (Debian: apt-get install rclone)';
  const port = await freePort();
  const args = ['serve', 'webdav', directory, '--addr', `127.0.0.1:${port}`, '--config', join(directory, 'none.conf')];
  const child = spawn('rclone', args, { stdio: ['ignore', 'ignore', 'ignore'] });
  await connectable(port);
  return {
    name: 'rclone serve webdav',
    promises: 'none',
    host: '127.0.0.1',
    port,
    path: plain,
    headers: {},
    stop: ending(child),
  };
};

function nginxConf(directory: string, files: string, port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${directory}/${kind};`,
  );
  return `daemon off; worker_processes 2; pid ${directory}/pid; ${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 512; }
http {
  access_log off; sendfile on; keepalive_requests 100000000; client_max_body_size 0; ${temporary.join(' ')}
  server { listen 127.0.0.1:${port}; root ${files}; location / { dav_methods PUT; } }
}
`;
}

/** What a program prints, or null where there is no such program. */
function output(program: string, ...args: readonly string[]): string | null {
  try {
    return execFileSync('sh', ['-c', `exec "$@" 2>&1`, 'sh', program, ...args], { encoding: 'utf8' });
  } catch {
    return null;
  }
}

const ending = (child: ChildProcess) => async () => {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
};

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
