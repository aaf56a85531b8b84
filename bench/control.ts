/**
 * The least that does the job: GET and PUT of files by path over node:http, no credential, no quota, no confinement. A PUT is
 * staged, flushed, renamed, and its directory flushed, as in the daemon, so that the price of the rest can be seen.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const directory = process.argv[2] ?? '.';
let staged = 0;

async function get(path: string, res: ServerResponse): Promise<void> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    res.writeHead(200, { 'content-length': size, 'content-type': 'application/octet-stream' });
    await pipeline(createReadStream('', { fd: handle, autoClose: false, highWaterMark: 256 * 1024 }), res);
  } finally {
    await handle.close();
  }
}

async function put(path: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const temporary = join(directory, `.staged-${staged++}`);
  await pipeline(req, createWriteStream(temporary, { flush: true }));
  await rename(temporary, path);
  const parent = await open(directory, 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
  res.writeHead(201, { 'content-length': 0 }).end();
}

const server = createServer((req, res) => {
  const path = join(directory, basename(req.url ?? ''));
  const served = req.method === 'PUT' ? put(path, req, res) : get(path, res);
  // A client that has all it wants may close before the answer has ended here.
  served.catch((error) => (res.headersSent ? res.destroy() : res.writeHead(500).end(String(error))));
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
