import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { FsError } from '../../src/errors.ts';
import type { Form, ReceivePart } from '../../src/http/call.ts';
import type { Staged } from '../../src/tree/staging.ts';
import { until } from '../support/wait.ts';
import { bytesOf, type Frame, raw, route, startFrame } from './frame.ts';

/** Counts and hashes what it receives, as staging does, and can tell what of it was left over. */
function openStaging() {
  const state = { received: 0, inFlight: 0, peak: 0, bytes: 0, known: [] as Record<string, string>[] };
  const receive: ReceivePart = async (body: Readable, { fields }) => {
    state.known.push({ ...fields });
    state.inFlight += 1;
    state.peak = Math.max(state.peak, state.inFlight);
    try {
      const hash = createHash('sha256');
      let size = 0;
      for await (const chunk of body) {
        hash.update(chunk);
        size += chunk.length;
        state.bytes += chunk.length;
        if (size > LIMIT) throw new FsError('too_large', 'a part is too large', { limit: LIMIT });
      }
      state.received += 1;
      const staged: Staged = {
        name: 's',
        kind: 'file',
        inode: '1:1',
        size,
        charged: size,
        isFlushed: false,
        sha256: hash.digest('hex'),
        discard: async () => {},
      };
      return staged;
    } finally {
      state.inFlight -= 1;
    }
  };
  return { state, receive };
}

const LIMIT = 8 * 1024 * 1024;
let staging = openStaging();
let leftInFlight = -1;
let frame: Frame;

const upload = route({
  method: 'POST',
  path: '/upload',
  handle: async (call) => {
    try {
      return { status: 200, json: seen(await call.form(staging.receive, { maxParts: 500 })) };
    } catch (error) {
      leftInFlight = staging.state.inFlight;
      throw error;
    }
  },
});

const seen = ({ fields, parts }: Form) => ({
  fields,
  parts: parts.map(({ field, filename, contentType, staged }) => [field, filename, contentType, staged.size]),
});

beforeAll(async () => {
  frame = await startFrame({ routes: [upload] });
});
afterAll(() => frame.close());
beforeEach(() => {
  staging = openStaging();
  leftInFlight = -1;
});

const part = (disposition: string, content = 'x', more = '') =>
  `--B\r\nContent-Disposition: form-data; ${disposition}\r\n${more}\r\n${content}\r\n`;

async function post(body: string, contentType = 'multipart/form-data; boundary=B') {
  const head = `POST /upload HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: ${contentType}\r\n`;
  const answer = await raw(frame.port, `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  const text = Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4), 'latin1').toString();
  return { status: Number(answer.split(' ')[1]), body: JSON.parse(text) };
}

describe('a form', () => {
  it('gives its files in order, with names whole and in UTF-8, and fields from before and after them', async () => {
    const body = [
      part('name="userId"', 'u1'),
      part('name="files"; filename="dir/übung.txt"', 'hello', 'Content-Type: text/x-own\r\n'),
      part('name="files"; filename="x"; filename*=UTF-8\'\'%E2%82%AC.txt', ''),
      part('name="path"', 'inbox'),
    ].join('');
    const { status, body: answer } = await post(`${body}--B--\r\n`);
    expect([status, answer]).toEqual([
      200,
      {
        fields: { user_id: 'u1', path: 'inbox' },
        parts: [
          ['files', 'dir/übung.txt', 'text/x-own', 5],
          ['files', '€.txt', 'text/plain', 0],
        ],
      },
    ]);
    expect(staging.state.known.map(({ user_id }) => user_id)).toEqual(['u1', 'u1']);
  });

  it('of 500 files is received a few at a time', async () => {
    const names = Array.from({ length: 500 }, (_, n) => `dir/${n}.txt`);
    const parts = names.map((name) => part(`name="files"; filename="${name}"`, `content of ${name}`));
    const answer = await post(`${parts.join('')}--B--\r\n`);
    expect(answer.status).toBe(200);
    expect(answer.body.parts.map(([, name]: [string, string]) => name)).toEqual(names);
    expect(staging.state.peak).toBeLessThanOrEqual(8);
  });

  it('is not read faster than its files are written', async () => {
    const size = 64 * 1024 * 1024;
    const sent = { bytes: 0 };
    const writing = Promise.withResolvers<void>();
    const { receive } = staging;
    staging.receive = async (body, about) => {
      await writing.promise;
      return receive(body, about);
    };
    const answer = fetch(`${frame.url}/upload`, {
      method: 'POST',
      headers: { 'Content-Type': 'multipart/form-data; boundary=B' },
      body: largeForm(size, sent),
      duplex: 'half',
    } as RequestInit);
    let before = 0;
    await until(() => {
      const isStill = sent.bytes > 0 && sent.bytes === before;
      before = sent.bytes;
      return isStill;
    });
    expect(sent.bytes).toBeLessThan(size / 2);
    writing.resolve();
    expect(await (await answer).json()).toMatchObject({ parts: largeParts(size) });
  });
});

const MANY = 16;
const largeParts = (size: number) =>
  Array.from({ length: MANY }, (_, n) => ['files', `${n}.bin`, 'text/plain', size / MANY]);

async function* largeForm(size: number, sent: { bytes: number }) {
  for (let n = 0; n < MANY; n += 1) {
    yield Buffer.from(`--B\r\nContent-Disposition: form-data; name="files"; filename="${n}.bin"\r\n\r\n`);
    for await (const chunk of bytesOf(size / MANY)) {
      sent.bytes += chunk.length;
      yield chunk;
    }
    yield Buffer.from('\r\n');
  }
  yield Buffer.from('--B--\r\n');
}

describe('a broken form is refused with a sentence', () => {
  const file = part('name="files"; filename="a.txt"', 'hello');

  it.each([
    ['cut off in a part', file.slice(0, -4), /Unexpected end of form/],
    ['cut off after a part', file, /Unexpected end of form/],
    ['empty', '', /Unexpected end of form/],
    [
      'with a file without a name',
      `${part('name="files"', 'x', 'Content-Type: application/octet-stream\r\n')}--B--\r\n`,
      /has no name/,
    ],
    [
      'with a file of the empty name',
      `${part('name="files"; filename=""', 'x', 'Content-Type: image/png\r\n')}--B--\r\n`,
      /without a name/,
    ],
    ['with a field twice', `${part('name="path"')}${part('name="path"')}--B--\r\n`, /given twice/],
    ['with a field in two spellings', `${part('name="userId"')}${part('name="user_id"')}--B--\r\n`, /given twice/],
    ['with brackets in a name', `${part('name="a[b]"')}--B--\r\n`, /brackets/],
    ['with a way to a prototype', `${part('name="__proto__"')}--B--\r\n`, /not allowed/],
    ['with a long field', `${part('name="path"', 'x'.repeat(70_000))}--B--\r\n`, /longer than/],
    ['with a long field name', `${part(`name="${'n'.repeat(300)}"`)}--B--\r\n`, /1 to 256 characters/],
    [
      'with a long header',
      `${part('name="a"', 'x', `X: ${'h'.repeat(20_000)}\r\n`)}--B--\r\n`,
      /Malformed part header/,
    ],
    [
      'with too many fields',
      `${Array.from({ length: 101 }, (_, n) => part(`name="f${n}"`)).join('')}--B--\r\n`,
      /too many parts/,
    ],
    ['with too many files', `${part('name="f"; filename="a"').repeat(501)}--B--\r\n`, /too many parts/],
    ['with 100,000 parts', `${part('name="f"; filename="a"').repeat(100_000)}--B--\r\n`, /too many parts/],
  ])('%s', async (_what, body, sentence) => {
    const answer = await post(body);
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
    expect(answer.body.detail).toMatch(sentence);
    expect(leftInFlight).toBe(0);
  });

  it.each([
    ['multipart/form-data', 400],
    ['multipart/form-data; boundary=', 400],
    [`multipart/form-data; boundary=${'b'.repeat(71)}`, 400],
    ['multipart/mixed; boundary=B', 415],
    ['application/json', 415],
  ])('of the type %s: %i', async (contentType, status) => {
    expect((await post(`${file}--B--\r\n`, contentType)).status).toBe(status);
  });
});

describe('a form of which one part is refused', () => {
  it('is refused by the error of that part, with nothing still in flight, and the rest unread', async () => {
    const body = `${part('name="files"; filename="a"')}${part('name="files"; filename="b"', 'x'.repeat(LIMIT + 1))}`;
    const rest = part('name="files"; filename="c"', 'y'.repeat(4 * 1024 * 1024));
    const answer = await post(`${body}${rest}--B--\r\n`);
    expect([answer.status, answer.body.code, answer.body.limit]).toEqual([413, 'too_large', LIMIT]);
    expect(leftInFlight).toBe(0);
    expect(staging.state.received).toBe(1);
    expect(staging.state.bytes).toBeLessThan(LIMIT + 1024 * 1024);
  });
});
