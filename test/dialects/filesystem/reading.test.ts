import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bringAbout, playScenarios, type Scenario } from '../../support/scenario.ts';

const FILES = '/agent/a1/filesystem/files';
const TEXT = 'one\ntwo\nthree\nfour\n';

/** Bytes that a text line of `given` cannot say, put on the disk as an agent would. */
const planted = (name: string, bytes: Uint8Array): Pick<Scenario, 'before'> => ({
  before: async (world) => {
    await bringAbout(world, 'a1/home/');
    await writeFile(join(world.disk('a1'), name), bytes);
    return undefined;
  },
});

const READ: readonly Scenario[] = [
  {
    name: 'filesystem.read sends a file as JSON',
    given: ['a1/data/notes.txt: hello wörld'],
    call: `GET ${FILES}/data/notes.txt`,
    status: 200,
    golden: 'read',
    answers: { etag: expect.stringMatching(/^"[^"]+"$/) },
  },
  {
    name: 'filesystem.read works under /v1 as well',
    given: ['a1/x.txt: hi'],
    call: 'GET /v1/agent/a1/filesystem/files/x.txt',
    status: 200,
    body: expect.objectContaining({ path: '/x.txt', content: 'hi' }),
  },
  {
    name: 'filesystem.read sends the bytes for raw=true, typed by name, with ranges and HEAD',
    given: ['a1/x.json: {"a":1}'],
    call: `GET ${FILES}/x.json?raw=true`,
    status: 200,
    text: '{"a":1}',
    answers: { 'content-type': expect.stringMatching(/^application\/json/), 'accept-ranges': 'bytes' },
    after: async ({ owner }) => {
      const part = await owner.does(`GET ${FILES}/x.json?raw=true`, { headers: { range: 'bytes=-3' } });
      expect(part).toMatchObject({ status: 206, text: ':1}' });
      const head = await owner.does(`HEAD ${FILES}/x.json?raw=true`);
      expect(head.headers['content-length']).toBe('7');
    },
  },
  {
    name: 'filesystem.read sends the bytes to who accepts octet-stream',
    given: ['a1/page.html: <b>'],
    call: `GET ${FILES}/page.html`,
    headers: { accept: 'application/octet-stream' },
    status: 200,
    text: '<b>',
    answers: { 'content-type': 'application/octet-stream', 'x-content-type-options': 'nosniff' },
    after: async ({ owner }) => {
      const { headers } = await owner.does(`GET ${FILES}/page.html?raw=true`);
      expect(headers['content-security-policy']).toContain('sandbox');
      expect(headers['content-disposition']).toMatch(/^attachment/);
    },
  },
  {
    name: 'filesystem.read sends what is not UTF-8 as base64 and says so, also when utf-8 was asked',
    ...planted('bin', Buffer.of(0x61, 0xff, 0x0a, 0x62)),
    call: `GET ${FILES}/bin?encoding=utf-8`,
    status: 200,
    body: expect.objectContaining({ content: 'Yf8KYg==', encoding: 'base64', size: 4 }),
    after: async ({ owner }) => {
      // one line of it would be text, but the file as a whole is not
      const { body } = await owner.does(`GET ${FILES}/bin?offset=2`);
      expect(body).toMatchObject({ content: 'Yg==', encoding: 'base64', total_lines: 2 });
    },
  },
  {
    name: 'filesystem.read sends base64 where it is asked for',
    given: ['a1/x.txt: hi'],
    call: `GET ${FILES}/x.txt?encoding=base64`,
    status: 200,
    body: expect.objectContaining({ content: 'aGk=', encoding: 'base64', size: 2 }),
  },
  {
    name: 'filesystem.read of some lines says where they stand and how to go on',
    given: [`a1/x.txt: ${TEXT}`],
    call: `GET ${FILES}/x.txt?offset=2&limit=2`,
    status: 200,
    golden: 'read-lines',
    after: async ({ owner }) => {
      const { body } = await owner.does(`GET ${FILES}/x.txt?offset=4&limit=2`);
      expect(body).toMatchObject({ content: 'four\n', start_line: 4, end_line: 4, total_lines: 4 });
      expect(body).not.toHaveProperty('next_offset');
      const beyond = await owner.does(`GET ${FILES}/x.txt?offset=9`);
      expect(beyond.body).toMatchObject({ content: '', start_line: 9, end_line: 8, total_lines: 4 });
    },
  },
  {
    name: 'filesystem.read of the last lines counts one without a newline as well',
    given: ['a1/log: one\ntwo\r\nthree\nfour'],
    call: `GET ${FILES}/log?tail=2`,
    status: 200,
    golden: 'read-tail',
    answers: { etag: expect.stringMatching(/^"[^"]+"$/) },
    after: async ({ owner }, { headers }) => {
      const contentOf = async (query: string) =>
        ((await owner.does(`GET ${FILES}/log?${query}`)).body as { content: string }).content;
      expect(await contentOf('tail=3')).toBe('two\r\nthree\nfour');
      expect(await contentOf('tail=99')).toBe('one\ntwo\r\nthree\nfour');
      expect(await contentOf('tail=1&encoding=base64')).toBe('Zm91cg==');
      const again = { headers: { 'if-none-match': String(headers.etag) } };
      expect((await owner.does(`GET ${FILES}/log?tail=2`, again)).status).toBe(304);
    },
  },
  {
    name: 'filesystem.read of the last lines judges UTF-8 by those lines, and finds nothing in an empty file',
    ...planted('bin', Buffer.concat([Buffer.of(0xff), Buffer.from('\ntext\n')])),
    call: `GET ${FILES}/bin?tail=1`,
    status: 200,
    body: expect.objectContaining({ content: 'text\n', encoding: 'utf-8', size: 7 }),
    after: async ({ owner }) => {
      const { body } = await owner.does(`GET ${FILES}/bin?tail=2`);
      expect(body).toMatchObject({ content: '/wp0ZXh0Cg==', encoding: 'base64' });
      await owner.writes('a1', 'empty', '');
      expect((await owner.does(`GET ${FILES}/empty?tail=5`)).body).toMatchObject({ content: '', encoding: 'utf-8' });
    },
  },
  {
    name: 'filesystem.read by lines keeps a byte order mark, CRLF and a last line without a newline',
    ...planted('bom', Buffer.from('\ufeffone\r\ntwo\r\n\r\nlast')),
    call: `GET ${FILES}/bom?offset=1&limit=2`,
    status: 200,
    body: expect.objectContaining({ content: '\ufeffone\r\ntwo\r\n', total_lines: 4, next_offset: 3 }),
    after: async ({ owner }) => {
      const rest = await owner.does(`GET ${FILES}/bom?offset=3`);
      expect(rest.body).toMatchObject({ content: '\r\nlast', start_line: 3, end_line: 4, total_lines: 4 });
    },
  },
  {
    name: 'filesystem.read answers HEAD in each form with the headers of GET, and no body',
    given: ['a1/x.txt: one\ntwo\n'],
    call: `HEAD ${FILES}/x.txt`,
    status: 200,
    text: '',
    answers: { 'content-type': 'application/json; charset=utf-8' },
    after: async ({ owner }) => {
      for (const query of ['', '?offset=1&limit=1', '?tail=1', '?raw=true']) {
        const [get, head] = [
          await owner.does(`GET ${FILES}/x.txt${query}`),
          await owner.does(`HEAD ${FILES}/x.txt${query}`),
        ];
        const headersOf = ({ headers: { date: _, 'x-request-id': __, ...same } }: typeof get) => same;
        expect(headersOf(head)).toEqual(headersOf(get));
        expect(headersOf(head)).toMatchObject({
          etag: expect.anything(),
          'last-modified': expect.stringMatching(/GMT$/),
        });
        expect(head).toMatchObject({ status: 200, text: '' });
      }
      expect((await owner.does(`HEAD ${FILES}/no.txt`)).status).toBe(404);
      expect((await owner.does(`HEAD ${FILES}`)).status).toBe(400);
    },
  },
  {
    name: 'filesystem.read answers 304 to who has the version',
    given: ['a1/x.txt: hi'],
    call: `GET ${FILES}/x.txt`,
    status: 200,
    after: async ({ owner }, { headers }) => {
      const again = { headers: { 'if-none-match': String(headers.etag) } };
      expect((await owner.does(`GET ${FILES}/x.txt`, again)).status).toBe(304);
      expect((await owner.does(`GET ${FILES}/x.txt?raw=true`, again)).status).toBe(304);
      await owner.writes('a1', 'x.txt', 'ho');
      expect((await owner.does(`GET ${FILES}/x.txt`, again)).status).toBe(200);
    },
  },
  {
    name: 'filesystem.read of a directory is 400',
    given: ['a1/data/'],
    call: `GET ${FILES}/data`,
    status: 400,
    code: 'is_directory',
    after: async ({ owner }) => {
      expect((await owner.does(`GET ${FILES}`)).status).toBe(400);
      expect((await owner.does(`GET ${FILES}/`)).status).toBe(400);
    },
  },
  {
    name: 'filesystem.read of a missing file is 404, and so is a workspace that never was',
    given: ['a1/data/'],
    call: `GET ${FILES}/data/no.txt`,
    status: 404,
    code: 'not_found',
    after: async ({ owner }) => {
      expect((await owner.does('GET /agent/never-was/filesystem/files/x')).status).toBe(404);
      expect((await owner.does('GET /agent/never-was')).status).toBe(404);
    },
  },
  {
    name: 'filesystem.read refuses parameters that are none',
    given: ['a1/x.txt: hi'],
    call: `GET ${FILES}/x.txt?offset=0`,
    status: 400,
    code: 'invalid_request',
    after: async ({ owner }) => {
      for (const query of [
        'limit=-1',
        'tail=0',
        'tail=1&offset=1',
        'encoding=latin1',
        'raw=perhaps',
        'raw=true&offset=1',
        'raw=true&tail=1',
        'path_b64=eA==',
      ]) {
        expect((await owner.does(`GET ${FILES}/x.txt?${query}`)).status).toBe(400);
      }
      expect((await owner.does('GET /agent/-bad-/filesystem/files/x')).status).toBe(400);
    },
  },
  {
    name: 'filesystem.read follows no link',
    given: ['a1/x.txt: hi', 'a1/link => x.txt', 'a1/out => /etc'],
    call: `GET ${FILES}/link`,
    status: 403,
    code: 'symlink',
    after: async ({ owner }) => {
      for (const path of ['link?raw=true', 'link?offset=1', 'out/passwd', 'out/passwd?raw=true']) {
        const answer = await owner.does(`GET ${FILES}/${path}`);
        expect(answer).toMatchObject({ status: 403, body: { code: 'symlink' } });
      }
    },
  },
  ...['%2e%2e/x', '..%2fx', 'a/%2e/b', 'a//b', 'a%00b', '../x'].map(
    (path): Scenario => ({
      name: `filesystem.read refuses the path ${path}`,
      given: ['a1/x: hi'],
      call: `GET ${FILES}/${path}`,
      status: 400,
      code: 'invalid_path',
    }),
  ),
  {
    name: 'filesystem.read reaches a name that is not UTF-8 by path_b64, and a literal percent sign by one decoding',
    given: ['a1/%2e%2e: percent'],
    before: async (world) => {
      const dir = Buffer.from(`${world.disk('a1')}/`);
      await writeFile(Buffer.concat([dir, Buffer.of(0xff, 0x2e, 0x74)]), 'odd');
      return undefined;
    },
    call: `GET ${FILES}?path_b64=${encodeURIComponent(Buffer.of(0xff, 0x2e, 0x74).toString('base64'))}`,
    status: 200,
    body: expect.objectContaining({ path: '/\ufffd.t', content: 'odd' }),
    after: async ({ owner }) => {
      expect((await owner.does(`GET ${FILES}/%252e%252e`)).body).toMatchObject({ content: 'percent' });
      expect((await owner.does(`GET ${FILES}?path_b64=not!base64`)).status).toBe(400);
      const outside = Buffer.from('../x').toString('base64');
      expect((await owner.does(`GET ${FILES}?path_b64=${outside}`)).body).toMatchObject({ code: 'invalid_path' });
    },
  },
];

playScenarios('reading a workspace', import.meta.url, READ);

playScenarios(
  'reading a workspace with a small JSON_MAX_BYTES',
  import.meta.url,
  [
    {
      name: 'filesystem.read of more than JSON carries is 413, naming raw=true and line ranges',
      given: [`a1/big.txt: ${'0123456789\n'.repeat(2000)}`],
      call: `GET ${FILES}/big.txt`,
      status: 413,
      code: 'too_large',
      body: expect.objectContaining({ detail: expect.stringMatching(/raw=true.*offset and limit/) }),
      after: async ({ owner }) => {
        expect((await owner.does(`GET ${FILES}/big.txt?raw=true`)).bytes).toHaveLength(22_000);
        expect((await owner.does(`GET ${FILES}/big.txt?offset=1`)).status).toBe(413);
        const { body } = await owner.does(`GET ${FILES}/big.txt?offset=1999`);
        expect(body).toMatchObject({ content: '0123456789\n0123456789\n', total_lines: 2000, end_line: 2000 });
      },
    },
  ],
  { env: { JSON_MAX_BYTES: '8192' } },
);
