import { playScenarios, type Scenario, type World } from '../../support/scenario.ts';

const PNG = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010806', 'hex');

/** One file to ask about, as `{id}`. */
const uploaded =
  (filename = 'a.txt', content: string | Uint8Array = 'hello', fields: Record<string, string> = {}) =>
  async ({ owner }: World) => ({ id: (await owner.uploads(filename, content, fields)).id });

const several = async ({ owner }: World) => {
  await owner.uploads('1.txt', '1', { userId: 'u1', sessionId: 's1' });
  await owner.uploads('2.txt', '2', { userId: 'u1', purpose: 'knowledge' });
  await owner.uploads('3.txt', '3', { userId: 'u2', agentId: 'a1' });
  return undefined;
};
const namesOf = (body: unknown) => (body as { data: { filename: string }[] }).data.map(({ filename }) => filename);

const LIST: readonly Scenario[] = [
  {
    name: 'files.list shows the newest first and says whether there is more',
    before: several,
    call: 'GET /v1/files',
    status: 200,
    golden: 'list',
  },
  {
    name: 'files.list filters by user, purpose, agent, session and run, all together',
    before: several,
    call: 'GET /v1/files?userId=u1',
    status: 200,
    after: async ({ owner }, { body }) => {
      expect(namesOf(body)).toEqual(['2.txt', '1.txt']);
      const asked = async (query: string) => namesOf((await owner.does(`GET /v1/files?${query}`)).body);
      expect(await asked('purpose=knowledge')).toEqual(['2.txt']);
      expect(await asked('agentId=a1')).toEqual(['3.txt']);
      expect(await asked('sessionId=s1&userId=u1')).toEqual(['1.txt']);
      expect(await asked('userId=u2&purpose=knowledge')).toEqual([]);
      expect(await asked('runId=run_none')).toEqual([]);
    },
  },
  {
    name: 'files.list pages by limit and cursor',
    before: several,
    call: 'GET /v1/files?limit=2',
    status: 200,
    after: async ({ owner }, { body }) => {
      const first = body as { has_more: boolean; next_cursor: string };
      expect(namesOf(body)).toEqual(['3.txt', '2.txt']);
      expect(first.has_more).toBe(true);
      const rest = (await owner.does(`GET /v1/files?limit=2&cursor=${first.next_cursor}`)).body;
      expect(rest).toEqual({ data: [expect.objectContaining({ filename: '1.txt' })], has_more: false });
    },
  },
  {
    name: 'files.list refuses filters, limits and cursors that are none',
    call: 'GET /v1/files?purpose=secret',
    status: 400,
    code: 'invalid_request',
    after: async ({ owner }) => {
      for (const query of ['limit=0', 'limit=x', 'cursor=x', 'agentId=-', 'userId=a&userId=b']) {
        expect((await owner.does(`GET /v1/files?${query}`)).status).toBe(400);
      }
    },
  },
  {
    name: 'files.list shows a bound credential what is its own',
    before: several,
    as: { user: 'u1' },
    call: 'GET /v1/files',
    status: 200,
    after: async ({ as }, { body }) => {
      expect(namesOf(body)).toEqual(['2.txt', '1.txt']);
      expect(namesOf((await as({ user: 'u1' }).does('GET /v1/files?userId=u2')).body)).toEqual([]);
      expect(namesOf((await as({ agent: 'a1' }).does('GET /v1/files')).body)).toEqual(['3.txt']);
    },
  },
];

const GET: readonly Scenario[] = [
  {
    name: 'files.get answers with the file object',
    before: uploaded(),
    call: 'GET /v1/files/{id}',
    status: 200,
    golden: 'got',
  },
  {
    name: 'files.get of an unknown id, or of one that can be none, is 404',
    call: 'GET /v1/files/file_unknown',
    status: 404,
    code: 'not_found',
    after: async ({ owner }) => {
      expect((await owner.does('GET /v1/files/%2e%2e%2fetc')).status).toBe(404);
    },
  },
  {
    name: 'files.get of another user’s or agent’s file is 404 for a bound credential',
    before: uploaded('a.txt', 'x', { userId: 'u2' }),
    as: { user: 'u1' },
    call: 'GET /v1/files/{id}',
    status: 404,
    code: 'not_found',
    after: async ({ as, owner }) => {
      const { id } = await owner.uploads('b.txt', 'x', { agentId: 'a2' });
      expect((await as({ agent: 'a1' }).does(`GET /v1/files/${id}`)).status).toBe(404);
      expect((await as({ agent: 'a1' }).does(`DELETE /v1/files/${id}`)).status).toBe(404);
      expect((await as({ agent: 'a1' }).does(`GET /v1/files/${id}/content`)).status).toBe(404);
      expect((await as({ agent: 'a1' }).does(`GET /v1/files/${id}/url`)).status).toBe(404);
    },
  },
];

const CONTENT: readonly Scenario[] = [
  {
    name: 'files.content sends the bytes with their own content type, in ranges where asked',
    before: uploaded('picture.bin', PNG),
    call: 'GET /v1/files/{id}/content',
    status: 200,
    answers: {
      'content-type': 'image/png',
      'content-disposition': expect.stringContaining('picture.bin'),
      etag: expect.any(String),
    },
    after: async ({ owner }, { bytes, headers }) => {
      expect(bytes.equals(PNG)).toBe(true);
      const { body } = await owner.does('GET /v1/files');
      const path = `/v1/files/${(body as { data: { id: string }[] }).data[0]?.id}/content`;
      const range = await owner.does(`GET ${path}`, { headers: { range: 'bytes=1-3' } });
      expect(range).toMatchObject({ status: 206, text: 'PNG' });
      const again = { headers: { 'if-none-match': String(headers.etag) } };
      expect((await owner.does(`GET ${path}`, again)).status).toBe(304);
    },
  },
  {
    name: 'files.content of a page that could run scripts is an attachment in a sandbox',
    before: uploaded('page.html', '<html><script>1</script></html>'),
    call: 'GET /v1/files/{id}/content',
    status: 200,
    answers: {
      'content-disposition': expect.stringMatching(/^attachment/),
      'content-security-policy': expect.stringContaining('sandbox'),
      'x-content-type-options': 'nosniff',
    },
  },
  {
    name: 'files.content of an unknown id is 404',
    call: 'GET /v1/files/file_no/content',
    status: 404,
    code: 'not_found',
  },
];

const DELETE: readonly Scenario[] = [
  {
    name: 'files.delete removes the file: 204, also the second time; reading it is 404 from then on',
    before: uploaded(),
    call: 'DELETE /v1/files/{id}',
    status: 204,
    text: '',
    after: async ({ owner }) => {
      const { id } = await owner.uploads('b.txt', 'x');
      expect((await owner.does(`DELETE /v1/files/${id}`)).status).toBe(204);
      expect((await owner.does(`DELETE /v1/files/${id}`)).status).toBe(204);
      expect((await owner.does(`GET /v1/files/${id}`)).status).toBe(404);
      expect((await owner.does(`GET /v1/files/${id}/content`)).status).toBe(404);
      expect((await owner.does('GET /v1/files')).body).toEqual({ data: [], has_more: false });
    },
  },
  { name: 'files.delete of an unknown id is 404', call: 'DELETE /v1/files/file_no', status: 404, code: 'not_found' },
];

playScenarios('purpose-tagged files', import.meta.url, [...LIST, ...GET, ...CONTENT, ...DELETE]);
