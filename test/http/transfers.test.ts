import { connect } from 'node:net';
import request from 'supertest';
import type { AgentId } from '../../src/ids.ts';
import { until } from '../support/wait.ts';
import { bytesOf, type Frame, fileOf, raw, route, startFrame, type TestFile } from './frame.ts';

const A1 = 'a1' as AgentId;

let frame: Frame;
let file: TestFile;

const ofScope = { access: 'files:read' } as const;

beforeAll(async () => {
  file = await fileOf('0123456789');
  const open = async () => ({
    ...{ status: 200, file: await file.open(), contentType: 'text/plain', downloadName: 'a.txt' },
  });
  frame = await startFrame({
    routes: [
      route({ ...ofScope, method: 'GET', path: '/json', handle: async () => ({ status: 200, json: { a: 'ä' } }) }),
      route({ ...ofScope, method: 'GET', path: '/empty', handle: async () => ({ status: 204, empty: true }) }),
      route({ ...ofScope, method: 'GET', path: '/file', handle: open }),
      route({
        ...{ ...ofScope, method: 'GET', path: '/stream' },
        handle: async () => ({ status: 200, stream: bytesOf(300_000), contentType: 'text/plain' }),
      }),
      route({
        ...{ ...ofScope, method: 'GET', path: '/endless' },
        handle: async () => ({ status: 200, stream: bytesOf(1e12), contentType: 'text/plain' }),
      }),
      route({
        ...{ ...ofScope, method: 'POST', path: '/files' },
        handle: async ({ body, tally, param: _, ...call }) => {
          for await (const __ of body);
          tally.concerns({ userId: 'u1', agentId: A1 });
          tally.brought(2);
          if (call.header('x-fail') !== null) throw new Error('it fails after it was brought');
          return { status: 201, json: {} };
        },
      }),
      route({ method: 'GET', path: '/public', handle: async () => ({ status: 200, json: {} }) }),
    ],
  });
});
afterAll(async () => {
  await frame.close();
  await file.remove();
});

/** What the log and the account say of the one request that this makes. */
async function told(make: () => PromiseLike<unknown>) {
  const [lines, counted] = [frame.lines().length, frame.counted().length];
  await make();
  const own = () =>
    frame
      .lines()
      .slice(lines)
      .filter(({ msg }) => msg === 'request');
  await until(() => own().length === 1, 'the line');
  return { line: own()[0], transfer: frame.counted()[counted] };
}

const get = (path: string, headers: Record<string, string> = {}) =>
  told(() =>
    request(frame.url)
      .get(path)
      .set({ ...frame.as('acme'), ...headers }),
  );

describe('what a request moves', () => {
  it.each([
    ['JSON', '/json', {}, 10, 0],
    ['nothing', '/empty', {}, 0, 0],
    ['a file', '/file', {}, 10, 1],
    ['a part of one', '/file', { range: 'bytes=2-4' }, 3, 1],
    ['a file that the client has already', '/file', { 'if-none-match': '"v1"' }, 0, 0],
    ['a stream of unknown length, without the sizes of its chunks', '/stream', {}, 300_000, 0],
  ])('is the body of the answer: %s', async (_what, path, headers, bytesOut, downloads) => {
    const { line, transfer } = await get(path, headers);
    expect(transfer).toEqual({
      tenant: 'acme',
      userId: null,
      agentId: null,
      uploads: 0,
      downloads,
      bytesIn: 0,
      bytesOut,
    });
    expect(line).toMatchObject({ bytesIn: 0, bytesOut });
    expect(line?.downloads).toBe(downloads === 0 ? undefined : downloads);
  });

  it('is nothing in answer to HEAD, and no download', async () => {
    const { line, transfer } = await told(() => request(frame.url).head('/file').set(frame.as('acme')));
    expect(transfer).toMatchObject({ downloads: 0, bytesOut: 0 });
    expect(line).toMatchObject({ bytesOut: 0 });
  });

  it('is an error’s body too, and no download where the range is beyond the file', async () => {
    const { line, transfer } = await get('/file', { range: 'bytes=99-' });
    expect(line).toMatchObject({ status: 416, bytesOut: expect.any(Number) });
    expect(transfer).toMatchObject({ downloads: 0, bytesOut: line?.bytesOut });
    expect(transfer?.bytesOut).toBeGreaterThan(50);
  });

  it('is counted where the client goes away', async () => {
    const { line, transfer } = await told(
      () =>
        new Promise<void>((resolve) => {
          const { Authorization } = frame.as('acme');
          const socket = connect(frame.port, '127.0.0.1');
          socket.write(`GET /endless HTTP/1.1\r\nHost: x\r\nAuthorization: ${Authorization}\r\n\r\n`);
          socket.once('data', () => socket.destroy()).once('close', () => resolve());
        }),
    );
    expect(line).toMatchObject({ cut: true });
    expect(transfer?.bytesOut).toBe(line?.bytesOut);
    expect(transfer?.bytesOut).toBeGreaterThan(0);
  });

  it('has the files that a body brought where the answer is a success, and else its bytes alone', async () => {
    const post = (headers: Record<string, string>) =>
      told(() =>
        request(frame.url)
          .post('/files')
          .set({ ...frame.as('acme'), ...headers })
          .send('12345'),
      );
    const whose = { tenant: 'acme', userId: 'u1', agentId: A1, bytesIn: 5 };
    const { line, transfer } = await post({});
    expect(transfer).toMatchObject({ ...whose, uploads: 2 });
    expect(line).toMatchObject({ user: 'u1', agent: 'a1', uploads: 2 });
    expect((await post({ 'x-fail': 'yes' })).transfer).toMatchObject({ ...whose, uploads: 0 });
  });

  it('is nobody’s without a good credential, and on a public route', async () => {
    for (const headers of [{}, { Authorization: 'Bearer no.such.token' }]) {
      const { line, transfer } = await told(() => request(frame.url).get('/json').set(headers));
      expect(line).toMatchObject({ status: 401 });
      expect(transfer).toBeUndefined();
    }
    expect((await told(() => request(frame.url).get('/public'))).transfer).toBeUndefined();
    expect((await told(() => request(frame.url).get('/nowhere'))).transfer).toBeUndefined();
  });

  it('is counted request by request on one connection', async () => {
    const { Authorization } = frame.as('acme');
    const one = (more = '') => `GET /json HTTP/1.1\r\nHost: x\r\nAuthorization: ${Authorization}\r\n${more}\r\n`;
    const before = frame.counted().length;
    await raw(frame.port, `${one()}${one()}${one('Connection: close\r\n')}`);
    await until(() => frame.counted().length === before + 3, 'three requests');
    expect(
      frame
        .counted()
        .slice(before)
        .map(({ bytesOut }) => bytesOut),
    ).toEqual([10, 10, 10]);
  });
});
