import request from 'supertest';
import { z } from 'zod';
import {
  decodeCursor,
  encodeCursor,
  normaliseKeys,
  normaliseQuery,
  parseJson,
  parseQuery,
} from '../../src/http/decode.ts';
import { type Frame, raw, route, startFrame } from './frame.ts';

const Body = z.object({
  src_path: z.string(),
  overwrite: z.boolean().default(false),
  edits: z.array(z.object({ old_string: z.string() })).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

describe('a JSON body', () => {
  let frame: Frame;
  beforeAll(async () => {
    frame = await startFrame({
      routes: [
        route({
          method: 'POST',
          path: '/move',
          body: Body,
          handle: async (call) => ({ status: 200, json: await call.json() }),
        }),
        route({
          method: 'POST',
          path: '/any',
          body: z.object({ a: z.string().optional() }),
          handle: async (call) => ({ status: 200, json: await call.json() }),
        }),
      ],
    });
  });
  afterAll(() => frame.close());

  const post = (text: string | Buffer, contentType = 'application/json', path = '/move') =>
    request(frame.url).post(path).set('Content-Type', contentType).send(text);

  it('is taken in snake_case and camelCase, with what clients keep in metadata left alone', async () => {
    const metadata = { userName: 'x', deep: { anyKey: 1 } };
    const sent = { srcPath: 'a', overwrite: true, edits: [{ oldString: 'x' }], metadata };
    const answer = await post(JSON.stringify(sent));
    expect(answer.body).toEqual({ src_path: 'a', overwrite: true, edits: [{ old_string: 'x' }], metadata });
  });

  it.each([
    ['{"src_path":', 'the body is not valid JSON'],
    ['[]', 'the body is not as documented: expected object, received array'],
    ['null', 'the body is not as documented: expected object, received null'],
    ['{}', 'the field "src_path" is missing'],
    ['{"src_path":1}', 'the field "src_path" is not as documented: expected string, received number'],
    ['{"src_path":"a","edits":[{}]}', 'the field "edits[0].old_string" is missing'],
    ['{"src_path":"a","srcPath":"b"}', 'the field "src_path" is given twice, in two spellings'],
  ])('%s is refused: %s', async (text, sentence) => {
    const answer = await post(text);
    expect([answer.status, answer.body.code, answer.body.detail]).toEqual([400, 'invalid_request', sentence]);
  });

  it.each([
    '{"src_path":"a","__proto__":{"admin":true}}',
    '{"src_path":"a","metadata":{"__proto__":{"admin":true}}}',
    '{"src_path":"a","metadata":{"a":[{"constructor":{"prototype":{}}}]}}',
    '{"src_path":"a","__Proto__":1}',
    '{"src_path":"a","prototype":1}',
  ])('%s cannot reach a prototype', async (text) => {
    const answer = await post(text);
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
    expect(Object.hasOwn(Object.prototype, 'admin')).toBe(false);
  });

  it('is dangerous without that: assigning such a key changes what an object inherits', () => {
    const parsed = JSON.parse('{"__proto__":{"admin":true}}');
    expect(Object.assign({}, parsed).admin).toBe(true);
  });

  it('must be UTF-8, JSON and not encoded', async () => {
    const invalid =
      'POST /move HTTP/1.1\r\nHost: h\r\nContent-Length: 16\r\nConnection: close\r\n\r\n{"src_path":"\xff"}';
    expect(await raw(frame.port, Buffer.from(invalid, 'latin1'))).toContain(
      '"detail":"the JSON body is not valid UTF-8"',
    );
    for (const contentType of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json; charset=latin1',
      'multipart/form-data',
    ]) {
      expect([contentType, (await post('{}', contentType)).status]).toEqual([contentType, 415]);
    }
    expect((await post('{"src_path":"a"}', 'application/json; charset=UTF-8')).status).toBe(200);
    expect((await post('{"src_path":"a"}', 'application/merge-patch+json')).status).toBe(200);
    const gzipped = await request(frame.url)
      .post('/move')
      .set({ 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' })
      .send('x');
    expect([gzipped.status, gzipped.body.code]).toEqual([415, 'unsupported']);
  });

  it('may be absent where nothing in it is needed', async () => {
    expect((await request(frame.url).post('/any')).body).toEqual({});
    const untyped = 'POST /any HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{"a":"x"}';
    expect(await raw(frame.port, untyped)).toContain('{"a":"x"}');
  });

  it('is bounded, declared or not, and the refusal names the raw form', async () => {
    const large = `{"src_path":"${'x'.repeat(64 * 1024)}"}`;
    const answer = await post(large);
    expect([answer.status, answer.body.code, answer.body.limit]).toEqual([413, 'too_large', 65536]);
    expect(answer.body.detail).toContain('raw=true');
    const chunked = await raw(frame.port, chunkedPost(large));
    expect(chunked).toMatch(/^HTTP\/1.1 413 /);
  });

  it('nested deeper than any documented one is refused before it exhausts the stack', async () => {
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    const answer = await post(deep);
    expect([answer.status, answer.body.detail]).toEqual([400, 'the JSON body is nested deeper than 100 levels']);
  });
});

function chunkedPost(text: string): string {
  const head =
    'POST /move HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n';
  return `${head}${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
}

describe('decoding', () => {
  it('spells keys in one way', () => {
    expect(normaliseKeys({ userId: 1, oldURL: 2, is_dir: 3, a1B: 4 })).toEqual({
      user_id: 1,
      old_url: 2,
      is_dir: 3,
      a1_b: 4,
    });
  });

  it('keeps numbers, nulls and order of arrays', () => {
    expect(parseJson(Buffer.from('[3,null,"a",{"b":[1]}]'))).toEqual([3, null, 'a', { b: [1] }]);
  });

  it('reads a query once, with plus as a space', () => {
    expect({ ...parseQuery('a=%2525&b=x+y&c&=z&&d=e=f') }).toEqual({ a: '%25', b: 'x y', c: '', '': 'z', d: 'e=f' });
    expect({ ...parseQuery('a[]=1') }).toEqual({ 'a[]': '1' });
    expect(() => parseQuery('a=1&%61=2')).toThrow('given twice');
  });

  it('takes a documented parameter in either spelling, and one alone', () => {
    const schema = z.object({ userId: z.string(), max_results: z.string() });
    for (const documented of [schema, schema.transform(() => 1)]) {
      const named = normaliseQuery({ user_id: 'u', maxResults: '2', other_One: 'x' }, documented);
      expect({ ...named }).toEqual({ userId: 'u', max_results: '2', other_One: 'x' });
      expect(() => normaliseQuery({ user_id: 'u', userId: 'v' }, documented)).toThrow('"userId" is given twice');
    }
    expect({ ...normaliseQuery({ user_id: 'u' }, z.unknown()) }).toEqual({ user_id: 'u' });
  });

  it('gives back what a cursor was made of, and nothing else', () => {
    const cursor = encodeCursor(['a/b', 7]);
    expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(decodeCursor(cursor)).toEqual(['a/b', 7]);
    for (const forged of [
      '',
      'x',
      'e30',
      '!!',
      encodeCursor(['x'.repeat(9000)]),
      Buffer.from('[{}]').toString('base64url'),
    ]) {
      expect(() => decodeCursor(forged)).toThrow('not one that a list here gave out');
    }
  });
});
