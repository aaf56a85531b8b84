import { playScenarios, type Scenario, secondsUntil, type World } from '../../support/scenario.ts';

const PNG = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010806', 'hex');
const TEXT = '0123456789';
const field = (name: string, value: string) => ({ name, value });
const part = (filename: string, value: string | Uint8Array) => ({ name: 'file', filename, value });

const uploaded =
  (filename: string, content: string | Uint8Array, fields: Readonly<Record<string, string>> = {}) =>
  async ({ owner }: World) => ({ id: (await owner.uploads(filename, content, fields)).id });

const sunset = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

const MADE: readonly Scenario[] = [
  {
    name: 'files.create takes an empty file, and files.content gives it back',
    call: 'POST /v1/files',
    form: [field('userId', 'u1'), part('empty.csv', '')],
    status: 201,
    body: expect.objectContaining({
      ...{ size: 0, mimeType: 'text/csv', filename: 'empty.csv' },
      sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    }),
    after: async ({ owner }, { body }) => {
      const content = await owner.does(`GET /v1/files/${(body as { id: string }).id}/content`);
      expect(content).toMatchObject({ status: 200, text: '', headers: { 'content-length': '0' } });
      expect((await owner.does('POST /v1/files', { json: { content: '', userId: 'u1' } })).body).toMatchObject({
        size: 0,
      });
    },
  },
  {
    name: 'files.create tells the type by the bytes, then by the name, whatever the part declares',
    call: 'POST /v1/files',
    form: [field('userId', 'u1'), part('picture.txt', PNG)],
    status: 201,
    body: expect.objectContaining({ mimeType: 'image/png', filename: 'picture.txt' }),
    after: async ({ owner }) => {
      const types: Readonly<Record<string, string>> = {
        'table.csv': 'text/csv',
        'notes.md': 'text/markdown',
        'data.json': 'application/json',
        unknown: 'application/octet-stream',
      };
      for (const [name, type] of Object.entries(types)) {
        expect([name, (await owner.uploads(name, 'a,b')).mimeType]).toEqual([name, type]);
      }
      expect((await owner.uploads('a.png', '%PDF-1.7\n1 0 obj')).mimeType).toBe('application/pdf');
    },
  },
  {
    name: 'files.create takes JSON in either spelling, and no field in both',
    call: 'POST /v1/files',
    json: {
      content: 'aGVsbG8=',
      filename: 'añb.txt',
      user_id: 'u1',
      agent_id: 'a1',
      session_id: 's1',
      purpose: 'knowledge',
    },
    status: 201,
    golden: 'created-json',
    after: async ({ owner }) => {
      const camel = { content: 'aGVsbG8=', filename: 'x.txt', userId: 'u1', agentId: 'a1', sessionId: 's1' };
      expect((await owner.does('POST /v1/files', { json: camel })).body).toMatchObject({
        agentId: 'a1',
        sessionId: 's1',
      });
      for (const json of [
        { ...camel, user_id: 'u2' },
        { ...camel, content: 'aGVs bG8*' },
        { ...camel, content: 7 },
        { ...camel, filename: 'a/b' },
        { ...camel, userId: '' },
        { ...camel, purpose: null },
      ]) {
        expect((await owner.does('POST /v1/files', { json })).status).toBe(400);
      }
    },
  },
  {
    name: 'files.create refuses a form that is cut off, or names a field twice, and keeps nothing',
    call: 'POST /v1/files',
    form: [field('userId', 'u1'), field('user_id', 'u1'), part('a.txt', 'x')],
    status: 400,
    code: 'invalid_request',
    after: async ({ owner }) => {
      const headers = { 'content-type': 'multipart/form-data; boundary=B' };
      const head = '--B\r\nContent-Disposition: form-data; name="userId"\r\n\r\nu1\r\n--B\r\n';
      const cut = `${head}Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf`;
      expect((await owner.does('POST /v1/files', { raw: cut, headers })).status).toBe(400);
      expect((await owner.does('GET /v1/files')).body).toEqual({ data: [], has_more: false });
    },
  },
  {
    name: 'files.create with expires_after says in Sunset when the file will be gone, and so do files.get and files.content',
    call: 'POST /v1/files',
    form: [field('userId', 'u1'), field('expires_after', '7d'), part('a.txt', TEXT)],
    status: 201,
    answers: { sunset: expect.stringMatching(sunset) },
    after: async ({ owner }, { headers, body }) => {
      expect(secondsUntil(headers.sunset)).toBeCloseTo(604_800, -1);
      expect(body).not.toHaveProperty('expiresAt');
      const { id } = body as { id: string };
      for (const path of [`/v1/files/${id}`, `/v1/files/${id}/content`]) {
        expect((await owner.does(`GET ${path}`)).headers.sunset).toBe(headers.sunset);
      }
      const json = { content: '', userId: 'u1' };
      const forms: readonly (readonly [object, number])[] = [
        [{ expires_after: 90 }, 90],
        [{ expiresAfter: '90' }, 90],
        [{ expires_after: '12h' }, 43_200],
      ];
      for (const [more, seconds] of forms) {
        const made = await owner.does('POST /v1/files', { json: { ...json, ...more } });
        expect([made.status, Math.abs(secondsUntil(made.headers.sunset) - seconds) < 10]).toEqual([201, true]);
      }
      for (const wrong of [0, -1, 1.5, '', 'soon', '1w', null, 1e12]) {
        const answer = await owner.does('POST /v1/files', { json: { ...json, expires_after: wrong } });
        expect([wrong, answer.status]).toEqual([wrong, 400]);
      }
      expect((await owner.does('POST /v1/files', { json })).headers).not.toHaveProperty('sunset');
    },
  },
];

const READ: readonly Scenario[] = [
  {
    name: 'files.content answers conditional requests: 304, 412, and a range only of the same bytes',
    before: uploaded('a.txt', TEXT),
    call: 'GET /v1/files/{id}/content',
    status: 200,
    text: TEXT,
    answers: { 'accept-ranges': 'bytes', 'x-content-type-options': 'nosniff' },
    after: async ({ owner }, { headers }) => {
      const [file] = ((await owner.does('GET /v1/files')).body as { data: { id: string }[] }).data;
      const etag = String(headers.etag);
      const modified = String(headers['last-modified']);
      const asked = async (sent: Readonly<Record<string, string>>, method = 'GET') => {
        const { status, text } = await owner.does(`${method} /v1/files/${file?.id}/content`, { headers: sent });
        return [status, status < 300 ? text : ''];
      };
      expect(await asked({ 'if-none-match': etag })).toEqual([304, '']);
      expect(await asked({ 'if-none-match': '"other"' })).toEqual([200, TEXT]);
      expect(await asked({ 'if-modified-since': modified })).toEqual([304, '']);
      expect(await asked({ 'if-match': '"other"' })).toEqual([412, '']);
      expect(await asked({ 'if-match': etag })).toEqual([200, TEXT]);
      expect(await asked({ range: 'bytes=2-4' })).toEqual([206, '234']);
      expect(await asked({ range: 'bytes=-3' })).toEqual([206, '789']);
      expect(await asked({ range: 'bytes=10-' })).toEqual([416, '']);
      expect(await asked({ range: 'bytes=2-4', 'if-range': etag })).toEqual([206, '234']);
      expect(await asked({ range: 'bytes=2-4', 'if-range': '"other"' })).toEqual([200, TEXT]);
      expect(await asked({}, 'HEAD')).toEqual([200, '']);
    },
  },
  {
    name: 'files.content of two files with the same bytes is each one’s own name and type',
    before: uploaded('one.csv', 'a,b'),
    call: 'GET /v1/files/{id}/content',
    status: 200,
    answers: {
      'content-type': expect.stringMatching(/^text\/csv/),
      'content-disposition': expect.stringContaining('one.csv'),
    },
    after: async ({ owner }) => {
      const { id } = await owner.uploads('año.md', 'a,b');
      const { headers } = await owner.does(`GET /v1/files/${id}/content`);
      expect(headers['content-type']).toMatch(/^text\/markdown/);
      expect(headers['content-disposition']).toContain("filename*=UTF-8''a%C3%B1o.md");
    },
  },
  {
    name: 'files.delete takes the bytes of one file alone, and copies in a workspace live on',
    given: ['a1/'],
    before: uploaded('in.txt', 'shared', { userId: 'u1' }),
    call: 'DELETE /v1/files/{id}',
    status: 204,
    after: async ({ owner }) => {
      const input = await owner.uploads('in.txt', 'shared', { userId: 'u1' });
      const other = await owner.uploads('other.txt', 'shared', { userId: 'u2' });
      await owner.startsRun('a1', { user_id: 'u1' });
      expect((await owner.does(`DELETE /v1/files/${input.id}`)).status).toBe(204);
      expect(await owner.reads('a1', 'data/in.txt')).toBe('shared');
      expect((await owner.does(`GET /v1/files/${other.id}/content`)).text).toBe('shared');
    },
  },
];

playScenarios('the bytes of files', import.meta.url, [...MADE, ...READ]);
