import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { FsError } from '../../src/errors.ts';
import type { Call } from '../../src/http/call.ts';
import { until } from '../support/wait.ts';
import { type Frame, raw, route, startFrame } from './frame.ts';

const MIB = 1024 * 1024;
const state = { error: null as unknown, aborted: false, began: false };
let frame: Frame;

const consume = async (call: Call) => {
  let bytes = 0;
  state.began = true;
  call.signal.addEventListener('abort', () => {
    state.aborted = true;
  });
  try {
    for await (const chunk of call.body) bytes += chunk.length;
  } catch (error) {
    state.error = error;
    throw error;
  }
  return { status: 200, json: { bytes } };
};

/** Takes a little and fails, as a full disk does: the pipeline destroys what it read from. */
const overflow = async (call: Call) => {
  const full = new Writable({
    write: (_chunk, _encoding, done) => done(new FsError('quota_exceeded', 'full', { used: 1, limit: 1 })),
  });
  await pipeline(call.body, full);
  return { status: 200, json: {} };
};

beforeAll(async () => {
  frame = await startFrame({
    options: { uploadFloor: { bytes: 1024, windowMs: 120 } },
    routes: [
      route({ method: 'PUT', path: '/sink', handle: consume }),
      route({ method: 'PUT', path: '/full', handle: overflow }),
      route({
        method: 'PUT',
        path: '/early',
        handle: () => Promise.reject(new FsError('too_large', 'too large', { limit: 5 })),
      }),
      route({ method: 'PUT', path: '/guarded', access: 'store:write', handle: consume }),
      route({ method: 'DELETE', path: '/unread', handle: async () => ({ status: 204, empty: true }) }),
      route({
        method: 'GET',
        path: '/next',
        handle: async () => ({ status: 200, text: 'next', contentType: 'text/plain' }),
      }),
    ],
  });
});
afterAll(() => frame.close());
beforeEach(() => {
  Object.assign(state, { error: null, aborted: false, began: false });
});

const put = (path: string, length: number, more = '') =>
  `PUT ${path} HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n${more}\r\n`;

interface Client {
  readonly socket: Socket;
  readonly text: () => string;
  readonly closed: Promise<void>;
}

function client(): Client {
  const chunks: Buffer[] = [];
  const socket = connect(frame.port, '127.0.0.1');
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => {});
  return { socket, closed, text: () => Buffer.concat(chunks).toString('latin1') };
}

describe('an early error', () => {
  it.each(['/early', '/full'])(
    'of %s reaches a client that is still sending, and then the connection closes',
    async (path) => {
      const { socket, text, closed } = client();
      const chunk = Buffer.alloc(64 * 1024);
      socket.write(put(path, 1024 * MIB));
      let sent = 0;
      const push = () => {
        while (!socket.destroyed && sent < 1024 * MIB && socket.write(chunk)) sent += chunk.length;
      };
      socket.on('drain', push);
      push();
      await until(() => text().includes('\r\n\r\n'));
      expect(text()).toMatch(path === '/early' ? /^HTTP\/1.1 413 / : /^HTTP\/1.1 507 /);
      expect(text()).toMatch(/Connection: close/i);
      socket.end();
      await closed;
      expect(sent).toBeLessThan(1024 * MIB);
    },
  );

  it('of a small body leaves the connection open for the next request', async () => {
    const text = await raw(
      frame.port,
      `${put('/early', 5)}hello${'GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'}`,
    );
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
  });

  it('does not wait long for a client that declares more than it sends', async () => {
    const { socket, text, closed } = client();
    const startedAt = performance.now();
    socket.write(`${put('/early', 100)}abc`);
    await closed;
    expect(text()).toMatch(/^HTTP\/1.1 413 /);
    expect(performance.now() - startedAt).toBeLessThan(6000);
  });

  it('without these precautions is lost: who reads the request itself takes the connection along', async () => {
    const bare = createServer({ keepAliveTimeout: 1 }, (req, res) => {
      pipeline(req, new Writable({ write: (_chunk, _encoding, done) => done(new Error('full')) })).catch(() => {
        res.statusCode = 507;
        res.end();
      });
    });
    await new Promise<void>((resolve) => bare.listen(0, '127.0.0.1', resolve));
    const address = bare.address();
    const text = await raw(
      typeof address === 'object' && address !== null ? address.port : 0,
      `${put('/', 10 * MIB)}${'x'.repeat(MIB)}`,
    ).catch(String);
    expect(text).not.toContain('507');
    await new Promise((resolve) => bare.close(resolve));
  });
});

describe('a body that nobody reads', () => {
  it('is read away, and the connection goes on', async () => {
    const text = await raw(
      frame.port,
      `DELETE /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody${'GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'}`,
    );
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 204', 'HTTP/1.1 200']);
  });
});

describe('Expect: 100-continue', () => {
  it('is answered when the body is wanted', async () => {
    const { socket, text } = client();
    socket.write(put('/sink', 5, 'Expect: 100-continue\r\n'));
    await until(() => text().includes('100 Continue'));
    socket.write('hello');
    await until(() => text().includes('{"bytes":5}'));
    socket.destroy();
  });

  it('is not answered to a request that is refused before: the bytes are never sent', async () => {
    const { socket, text, closed } = client();
    socket.write(put('/guarded', 1024 * MIB, 'Expect: 100-continue\r\n'));
    await until(() => text().includes('\r\n\r\n'));
    expect(text()).toMatch(/^HTTP\/1.1 401 /);
    socket.end();
    await closed;
    expect(text()).not.toContain('100 Continue');
    expect(state.began).toBe(false);
  });
});

describe('the pace of an upload', () => {
  it('below the floor ends it with an answer', async () => {
    const { socket, text, closed } = client();
    socket.write(`${put('/sink', 1000)}a`);
    await closed;
    expect(text()).toMatch(/^HTTP\/1.1 400 /);
    expect(text()).toContain('too slowly');
    expect(state.error).toBeInstanceOf(FsError);
  });

  it('above the floor has no time limit', async () => {
    const { socket, text } = client();
    socket.write(put('/sink', 40 * 1024));
    let sent = 0;
    await until(() => {
      sent += 1024;
      return !socket.write('x'.repeat(1024)) || sent === 40 * 1024;
    });
    await until(() => text().includes('{"bytes":40960}'));
    socket.destroy();
  });
});

describe('a client that goes away', () => {
  it('ends the body with an error, aborts the signal, and is logged as cut, not as an error of the daemon', async () => {
    const { socket } = client();
    socket.write(`${put('/sink', 100, 'X-Request-Id: gone\r\n')}abc`);
    await until(() => state.began);
    socket.destroy();
    await until(() => state.error !== null && state.aborted);
    expect(state.error).toMatchObject({ code: 'invalid_request' });
    await until(() => frame.lines().some((line) => line.requestId === 'gone'));
    expect(frame.lines().filter((line) => line.requestId === 'gone')).toMatchObject([
      { level: 'info', cut: true, status: 499 },
    ]);
  });
});

describe('what is no HTTP', () => {
  it('is answered and closed', async () => {
    expect(await raw(frame.port, 'nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400 [\s\S]*this is not HTTP/);
    const long = `GET /next HTTP/1.1\r\nHost: h\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`;
    expect(await raw(frame.port, long)).toMatch(/^HTTP\/1.1 431 /);
  });

  it('cannot smuggle a second request', async () => {
    const both =
      'PUT /sink HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /next HTTP/1.1\r\n\r\n';
    const text = await raw(frame.port, both);
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 400']);
  });
});
