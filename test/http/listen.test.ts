import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { FsError } from '../../src/errors.ts';
import { listen } from '../../src/http/listen.ts';
import { pump } from '../../src/http/pump.ts';
import { until } from '../support/wait.ts';
import { bytesOf, type Frame, raw, route, startFrame } from './frame.ts';

const work = Promise.withResolvers<void>();
let working = false;
let frame: Frame;
let isTicking = false;

async function ticking(until: AbortSignal): Promise<AsyncIterable<string>> {
  async function* ticks() {
    isTicking = true;
    yield 'data: 1\n\n';
    await new Promise((resolve) => until.addEventListener('abort', resolve));
    isTicking = false;
  }
  return ticks();
}

beforeEach(async () => {
  working = false;
  frame = await startFrame({
    routes: [
      route({
        method: 'GET',
        path: '/slow',
        handle: async () => {
          working = true;
          await work.promise;
          return { status: 200, text: 'done', contentType: 'text/plain' };
        },
      }),
      route({
        method: 'GET',
        path: '/never',
        handle: () =>
          new Promise(() => {
            working = true;
          }),
      }),
      route({
        method: 'GET',
        path: '/events',
        handle: async () => ({ status: 200, events: ticking }),
      }),
    ],
  });
});

const get = (path: string) => raw(frame.port, `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`);

describe('closing', () => {
  it('lets a request in flight finish, and takes no new one', async () => {
    const answer = get('/slow');
    await until(() => working);
    const closing = frame.close(10_000);
    await expect(fetch(`${frame.url}/slow`)).rejects.toThrow();
    work.resolve();
    expect(await answer).toMatch(/^HTTP\/1.1 200 [\s\S]*done$/);
    await closing;
  });

  it('cuts what does not finish in time', async () => {
    const answer = get('/never');
    await until(() => working);
    const startedAt = performance.now();
    await frame.close(100);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(await answer).toBe('');
  });

  it('ends event streams at once', async () => {
    const answer = await fetch(`${frame.url}/events`);
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const reader = answer.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: 1\n\n');
    const startedAt = performance.now();
    await Promise.all([frame.close(40_000), reader?.read().catch(() => undefined)]);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(isTicking).toBe(false);
  });
});

describe('a client that never finishes its headers', () => {
  it('is told so and let go', async () => {
    const listening = await listen((_req, res) => res.end(), '127.0.0.1', 0, { headersMs: 100, checkMs: 20 });
    expect(await raw(listening.port, 'GET / HTTP/1.1\r\nHost: h\r\nX-A: ')).toMatch(/^HTTP\/1.1 408 [\s\S]*too slowly/);
    await listening.close(100);
    await frame.close();
  });
});

describe('a client that stops reading', () => {
  it('does not keep what it was sent from open for ever', async () => {
    const source = bytesOf(64 * 1024 * 1024);
    const outcome = Promise.withResolvers<unknown>();
    const listening = await listen(
      (_req, res) => void pump(source, res, null, 50).catch(outcome.resolve),
      '127.0.0.1',
      0,
    );
    const socket = connect(listening.port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n'));
    socket.pause();
    expect(await outcome.promise).toMatchObject({ code: 'unavailable' });
    expect(source.destroyed).toBe(true);
    socket.destroy();
    await listening.close(100);
    await frame.close();
  });
});

describe('a stream that fails before its first byte', () => {
  it('is answered with the error, and later it is cut', async () => {
    const early = new Readable({ read: () => early.destroy(new FsError('not_found', 'gone')) });
    const late = new Readable({
      read: () => void (late.push('part') && setImmediate(() => late.destroy(new FsError('conflict', 'broke')))),
    });
    const stream = (path: string, from: Readable) =>
      route({
        method: 'GET',
        path,
        handle: async () => ({ status: 200, stream: from, contentType: 'application/zip' }),
      });
    const streams = await startFrame({ routes: [stream('/early', early), stream('/late', late)] });
    const ask = (path: string) => raw(streams.port, `GET ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
    expect(await ask('/early')).toMatch(/^HTTP\/1.1 404 [\s\S]*"code":"not_found"/);
    const cut = await ask('/late');
    expect(cut).toContain('part');
    expect(cut).not.toContain('\r\n0\r\n');
    await Promise.all([streams.close(), frame.close()]);
  });
});
