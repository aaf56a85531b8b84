import { PassThrough } from 'node:stream';
import { until } from '../support/wait.ts';
import { type Frame, raw, route, startFrame } from './frame.ts';

const work = Promise.withResolvers<void>();
let working = false;
let frame: Frame;
const events = new PassThrough();

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
        handle: async () => ({ status: 200, stream: events, contentType: 'text/event-stream' }),
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
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(await answer).toBe('');
  });

  it('ends event streams at once', async () => {
    const answer = await fetch(`${frame.url}/events`);
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    events.write('data: 1\n\n');
    const reader = answer.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: 1\n\n');
    const startedAt = performance.now();
    await Promise.all([frame.close(10_000), reader?.read().catch(() => undefined)]);
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(events.destroyed).toBe(true);
  });
});
