import { truncate } from 'node:fs/promises';
import { parse } from 'content-disposition';
import request from 'supertest';
import { until } from '../support/wait.ts';
import { type Frame, fileOf, raw, route, startFrame, type TestFile } from './frame.ts';

const CONTENT = '0123456789';
let file: TestFile;
let frame: Frame;
let name = 'a.txt';
let type = 'text/plain';

const download = route({
  method: 'GET',
  path: '/file',
  handle: async () => ({ status: 200, file: await file.open(), contentType: type, downloadName: name }),
});

beforeEach(async () => {
  name = 'a.txt';
  type = 'text/plain';
  file = await fileOf(CONTENT);
  frame = await startFrame({ routes: [download] });
});
afterEach(async () => {
  await frame.close();
  await until(() => file.state.open === 0, 'every file to be closed');
  await file.remove();
});

const get = (headers: Record<string, string> = {}) => request(frame.url).get('/file').set(headers);
const MODIFIED = 'Thu, 15 Jan 2026 10:00:00 GMT';

describe('the whole file', () => {
  it('comes with what partial reads need', async () => {
    const answer = await get();
    expect([answer.status, answer.text]).toEqual([200, CONTENT]);
    expect(answer.headers).toMatchObject({
      etag: '"v1"',
      'last-modified': MODIFIED,
      'accept-ranges': 'bytes',
      'content-length': '10',
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': 'inline; filename=a.txt',
      'x-content-type-options': 'nosniff',
    });
  });

  it('has no bytes for HEAD, which ignores Range as RFC 9110 demands', async () => {
    const answer = await request(frame.url).head('/file').set('Range', 'bytes=0-1');
    expect([answer.status, answer.headers['content-length'], answer.headers.etag]).toEqual([200, '10', '"v1"']);
  });

  it('may be empty', async () => {
    await file.remove();
    file = await fileOf('');
    const answer = await get();
    expect([answer.status, answer.headers['content-length'], answer.text]).toEqual([200, '0', '']);
    expect((await get({ Range: 'bytes=0-' })).status).toBe(416);
  });
});

describe('a range', () => {
  it.each([
    ['bytes=0-3', '0123', '0-3'],
    ['bytes=4-', '456789', '4-9'],
    ['bytes=-3', '789', '7-9'],
    ['bytes=8-99', '89', '8-9'],
    ['bytes=-99', CONTENT, '0-9'],
  ])('%s is answered with 206', async (range, text, span) => {
    const answer = await get({ Range: range });
    expect([answer.status, answer.text]).toEqual([206, text]);
    expect(answer.headers['content-range']).toBe(`bytes ${span}/10`);
    expect(answer.headers['content-length']).toBe(String(text.length));
  });

  it.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('%s is beyond the file: 416 with its size', async (range) => {
    const answer = await get({ Range: range });
    expect([answer.status, answer.body.code, answer.headers['content-range']]).toEqual([
      416,
      'range_not_satisfiable',
      'bytes */10',
    ]);
    expect(answer.headers.etag).toBeUndefined();
  });

  it.each(['bytes=a-b', 'lines=1-2', 'bytes', 'bytes=5-2,1-2,3-4', 'bytes=0-1,4-5'])(
    '%s is ignored: the whole file',
    async (range) => {
      const answer = await get({ Range: range });
      expect([answer.status, answer.text]).toEqual([200, CONTENT]);
    },
  );

  it('applies only to the version that If-Range names', async () => {
    const part = (ifRange: string) => get({ Range: 'bytes=0-1', 'If-Range': ifRange });
    expect((await part('"v1"')).status).toBe(206);
    expect((await part(MODIFIED)).status).toBe(206);
    for (const other of ['"v2"', 'W/"v1"', 'Thu, 15 Jan 2026 10:00:01 GMT', 'nonsense']) {
      expect([other, (await part(other)).status]).toEqual([other, 200]);
    }
  });
});

describe('a condition', () => {
  it.each([
    [{ 'If-None-Match': '"v1"' }, 304],
    [{ 'If-None-Match': '"x", W/"v1"' }, 304],
    [{ 'If-None-Match': '*' }, 304],
    [{ 'If-None-Match': '"v2"' }, 200],
    [{ 'If-Modified-Since': MODIFIED }, 304],
    [{ 'If-Modified-Since': 'Thu, 15 Jan 2026 09:59:59 GMT' }, 200],
    [{ 'If-None-Match': '"v2"', 'If-Modified-Since': MODIFIED }, 200],
    [{ 'If-None-Match': '"v1"', Range: 'bytes=0-1' }, 304],
    // As `fetch` sends every condition that its caller sets.
    [{ 'If-None-Match': '"v1"', 'Cache-Control': 'no-cache', Pragma: 'no-cache' }, 304],
    [{ 'If-Modified-Since': MODIFIED, 'Cache-Control': 'no-cache' }, 304],
    [{ 'If-Match': '"v1"' }, 200],
    [{ 'If-Match': '*' }, 200],
    [{ 'If-Match': '"v2"' }, 412],
    [{ 'If-Match': 'W/"v1"' }, 412],
    [{ 'If-Match': 'v1' }, 400],
  ])('%j gives %i', async (headers, status) => {
    const answer = await get(headers);
    expect(answer.status).toBe(status);
    if (status !== 304) return;
    expect(answer.text).toBe('');
    expect(answer.headers.etag).toBe('"v1"');
    expect(answer.headers['content-length']).toBeUndefined();
  });
});

describe('what a browser makes of it', () => {
  it.each([
    'text/html',
    'image/svg+xml',
    'application/xml',
    'text/xml',
    'application/pdf',
    'text/javascript',
    'application/xhtml+xml',
    'application/x-new',
    'TEXT/HTML; charset=utf-8',
    'nonsense',
    'text/html\r\nx: y',
  ])('%j goes out as an attachment in a sandbox', async (given) => {
    type = given;
    const answer = await get();
    expect(answer.headers['content-disposition']).toBe('attachment; filename=a.txt');
    expect(answer.headers['content-security-policy']).toBe("sandbox; default-src 'none'");
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });

  it.each(['image/png', 'text/plain', 'video/mp4', 'audio/mpeg'])('%s is shown', async (given) => {
    type = given;
    const answer = await get();
    expect(answer.headers['content-disposition']).toMatch(/^inline/);
    expect(answer.headers['content-type']).toMatch(given);
  });

  it.each([
    'a "quoted" \\ name.txt',
    'line\r\nSet-Cookie: a=b',
    'emoji 😀.png',
    '\u202Egnp.exe',
    'Übung ½.txt',
    'semi;colon=1.txt',
    '100%.txt',
    "it's.txt",
  ])('the name %j survives', async (given) => {
    name = given;
    const answer = await get();
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(parse(answer.headers['content-disposition'] ?? '').parameters.filename).toBe(given);
  });

  it('a name that is not UTF-8 is shown with replacement characters, and a path by its last element', async () => {
    name = 'dir/caf\udce9.txt';
    const answer = await get();
    expect(parse(answer.headers['content-disposition'] ?? '').parameters.filename).toBe('caf\ufffd.txt');
  });
});

describe('a transfer that breaks', () => {
  it('cuts the connection when the file became shorter, so that no part passes for the whole', async () => {
    await file.remove();
    file = await fileOf('x'.repeat(100_000));
    const opened = file.open;
    file.open = async () => {
      const handle = await opened();
      await truncate(file.path, 50_000);
      return handle;
    };
    const answer = await raw(frame.port, 'GET /file HTTP/1.1\r\nHost: h\r\n\r\n');
    expect(answer).toMatch(/Content-Length: 100000/i);
    expect(answer.length).toBeLessThan(60_000);
  });

  it('closes the file when the client goes away', async () => {
    await file.remove();
    file = await fileOf(Buffer.alloc(32 * 1024 * 1024));
    const leaving = new AbortController();
    const answer = await fetch(`${frame.url}/file`, { signal: leaving.signal });
    await answer.body?.getReader().read();
    expect(file.state.open).toBe(1);
    leaving.abort();
    await until(() => file.state.open === 0, 'the file to be closed');
  });
});
