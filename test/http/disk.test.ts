import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import request from 'supertest';
import type { Call, Reply } from '../../src/http/call.ts';
import { child, parsePath } from '../../src/tree/path.ts';
import { type Home, openDataRoot } from '../../src/tree/root.ts';
import { until } from '../support/wait.ts';
import { bytesOf, type Frame, raw, route, startFrame } from './frame.ts';

/** The frame over a real tree and its staging: what leaves the disk, what reaches it, and what stays behind. */
const MIB = 1024 * 1024;
let root: string;
let home: Home;
let frame: Frame;
let receiving = false;

const read = async (call: Call): Promise<Reply> => {
  const file = await home.tree.open(call.path('path'));
  return { status: 200, file, contentType: 'application/octet-stream', downloadName: call.path('path') };
};

const write = async (call: Call): Promise<Reply> => {
  receiving = true;
  const staged = await home.staging.receive(call.body, { maxBytes: 4 * MIB });
  await home.tree.place(call.path('path'), staged, 'upsert');
  return { status: 200, json: { size: staged.size } };
};

const upload = async (call: Call): Promise<Reply> => {
  const received: { discard(): Promise<void> }[] = [];
  try {
    const form = await call.form(
      async (body) => {
        const staged = await home.staging.receive(body, { maxBytes: 4 * MIB });
        received.push(staged);
        return staged;
      },
      { maxParts: 500 },
    );
    for (const { filename, staged } of form.parts) await home.tree.place(parsePath(filename), staged, 'upsert');
    return { status: 200, json: { files: form.parts.length } };
  } finally {
    await Promise.all(received.map((staged) => staged.discard()));
  }
};

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'http-disk-'));
  const data = await openDataRoot({ path: root, instance: 'i1', durability: 'none' });
  home = await data.open(['tenants', 'acme', 'store']);
  frame = await startFrame({
    routes: [
      route({ method: 'GET', path: '/files{/*path}', handle: read }),
      route({ method: 'PUT', path: '/files{/*path}', handle: write }),
      route({ method: 'POST', path: '/upload', handle: upload }),
    ],
  });
});
afterAll(async () => {
  await frame.close();
  await rm(root, { recursive: true });
});

const staged = () => readdir(join(dirname(home.hostPath), 'staging'));
const at = (name: string) => join(home.hostPath, name);

describe('a download', () => {
  it('is byte for byte what was uploaded, in whole and in parts', async () => {
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, n) => n % 251));
    expect((await request(frame.url).put('/files/a.bin').send(content)).body).toEqual({ size: 300_000 });
    const whole = await fetch(`${frame.url}/files/a.bin`);
    expect(Buffer.from(await whole.arrayBuffer()).equals(content)).toBe(true);
    const part = await fetch(`${frame.url}/files/a.bin`, { headers: { Range: 'bytes=1000-200000' } });
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(content.subarray(1000, 200_001))).toBe(true);
  });

  it('changes its ETag with every write, so that an old range is never joined to a new file', async () => {
    await writeFile(at('etag.txt'), 'old content');
    const { headers } = await request(frame.url).get('/files/etag.txt');
    await request(frame.url).put('/files/etag.txt').send('new content');
    const answer = await request(frame.url)
      .get('/files/etag.txt')
      .set({ Range: 'bytes=4-', 'If-Range': String(headers.etag) });
    expect([answer.status, answer.body.toString()]).toEqual([200, 'new content']);
  });

  it('refuses links and pipes without blocking, and directories', async () => {
    await symlink('/etc/passwd', at('link'));
    await promisify(execFile)('mkfifo', [at('pipe')]);
    const codes = await Promise.all(
      ['link', 'pipe', ''].map(async (name) => (await request(frame.url).get(`/files/${name}`)).body.code),
    );
    expect(codes).toEqual(['symlink', 'special_file', 'is_directory']);
  });

  it('of a file that shrinks meanwhile is cut, not padded', async () => {
    await writeFile(at('shrinks'), Buffer.alloc(64 * MIB));
    const socket = connect(frame.port, '127.0.0.1');
    let bytes = 0;
    let isClosed = false;
    socket.once('data', () => {
      socket.pause();
      void truncate(at('shrinks'), MIB).then(() => socket.resume());
    });
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      isClosed = true;
    });
    socket.write('GET /files/shrinks HTTP/1.1\r\nHost: h\r\n\r\n');
    await until(() => isClosed);
    expect(bytes).toBeLessThan(64 * MIB);
  });
});

describe('an upload', () => {
  it('of 500 files in one form lands whole and leaves nothing in staging', async () => {
    const parts = Array.from(
      { length: 500 },
      (_, n) => `--B\r\nContent-Disposition: form-data; name="files"; filename="f${n}.txt"\r\n\r\n${'x'.repeat(n)}\r\n`,
    );
    const answer = await request(frame.url)
      .post('/upload')
      .set('Content-Type', 'multipart/form-data; boundary=B')
      .send(`${parts.join('')}--B--\r\n`);
    expect(answer.body).toEqual({ files: 500 });
    expect((await home.tree.stat(child(parsePath(''), 'f499.txt'))).size).toBe(499);
    expect(await staged()).toEqual([]);
  });

  it('that is too large is 413, and leaves nothing', async () => {
    const answer = await fetch(`${frame.url}/files/large`, {
      method: 'PUT',
      body: bytesOf(5 * MIB),
      duplex: 'half',
    } as unknown as RequestInit);
    expect(answer.status).toBe(413);
    expect(await answer.json()).toMatchObject({ code: 'too_large' });
    expect(await home.tree.find(parsePath('large'))).toBeNull();
    expect(await staged()).toEqual([]);
  });

  it('of which the client goes away leaves nothing', async () => {
    receiving = false;
    const socket = connect(frame.port, '127.0.0.1');
    socket.write('PUT /files/aborted HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc');
    await until(() => receiving);
    socket.destroy();
    await until(async () => (await staged()).length === 0);
    expect(await home.tree.find(parsePath('aborted'))).toBeNull();
  });

  it('in a form that is cut off leaves nothing', async () => {
    const form =
      '--B\r\nContent-Disposition: form-data; name="files"; filename="cut1"\r\n\r\nabc\r\n--B\r\nContent-Disposition: form-data; name="files"; filename="cut2"\r\n\r\nde';
    const head = `POST /upload HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: ${form.length}\r\n\r\n`;
    expect(await raw(frame.port, head + form)).toMatch(/^HTTP\/1.1 400 /);
    expect(await staged()).toEqual([]);
    expect(await home.tree.find(parsePath('cut1'))).toBeNull();
  });
});
