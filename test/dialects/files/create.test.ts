import { playScenarios, type Scenario } from '../../support/scenario.ts';

const PNG = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010806', 'hex');
const part = (filename: string, value: string | Uint8Array, name = 'file') => ({ name, filename, value });
const field = (name: string, value: string) => ({ name, value });

const CREATE: readonly Scenario[] = [
  {
    name: 'files.create takes a form and answers with the file object',
    call: 'POST /v1/files',
    form: [
      field('userId', 'user_42'),
      field('purpose', 'knowledge'),
      field('agentId', 'a1'),
      field('sessionId', 's1'),
      part('report.csv', 'a,b\n1,2\n'),
    ],
    status: 201,
    golden: 'created',
    answers: { location: expect.stringMatching(/\/v1\/files\/file_/) },
  },
  {
    name: 'files.create takes fields after the part, in either spelling, and a filename of its own',
    call: 'POST /v1/files',
    form: [
      part('C:\\dir\\upload.bin', PNG),
      field('user_id', 'u1'),
      field('filename', 'año.png'),
      field('session_id', ''),
    ],
    status: 201,
    body: expect.objectContaining({
      filename: 'año.png',
      mimeType: 'image/png',
      size: PNG.length,
      purpose: 'agent_input',
      userId: 'u1',
      agentId: null,
      sessionId: null,
      runId: null,
      path: null,
    }),
  },
  {
    name: 'files.create takes JSON with base64 content, and no filename at all',
    call: 'POST /v1/files',
    json: { content: PNG.toString('base64'), user_id: 'u1', purpose: 'knowledge' },
    status: 201,
    body: expect.objectContaining({ filename: null, mimeType: 'image/png', size: PNG.length, purpose: 'knowledge' }),
  },
  {
    name: 'files.create without a file, a user or a known purpose is 400',
    call: 'POST /v1/files',
    form: [field('userId', 'u1')],
    status: 400,
    code: 'invalid_request',
    after: async ({ owner }) => {
      const user = field('userId', 'u1');
      const forms = [
        [part('a.txt', 'x')],
        [part('a.txt', 'x'), user, field('purpose', 'secret')],
        [part('a.txt', 'x'), part('b.txt', 'y'), user],
        [part('a.txt', 'x', 'files'), user],
        [part('a.txt', 'x'), user, field('agentId', '-bad-')],
        [part('a.txt', 'x'), user, field('filename', '../x')],
      ];
      for (const form of forms) expect((await owner.does('POST /v1/files', { form })).status).toBe(400);
      for (const json of [
        { userId: 'u1' },
        { userId: 'u1', content: '%' },
        { content: '' },
        { userId: 1, content: '' },
      ]) {
        expect((await owner.does('POST /v1/files', { json })).status).toBe(400);
      }
      const raw = await owner.does('POST /v1/files', { raw: 'x', headers: { 'content-type': 'text/plain' } });
      expect([raw.status, raw.body]).toEqual([
        415,
        expect.objectContaining({ detail: expect.stringContaining('or a form (multipart/form-data)') }),
      ]);
      expect((await owner.does('GET /v1/files')).body).toEqual({ data: [], has_more: false });
    },
  },
  {
    name: 'files.create over the quota is 507, and keeps nothing',
    before: async ({ as, tenant }) => {
      await as({ scope: 'admin' }).does(`PUT /admin/tenants/${tenant}`, { json: { quota_bytes: 10 } });
      return undefined;
    },
    call: 'POST /v1/files',
    form: [field('userId', 'u1'), part('a.txt', '12345678901')],
    status: 507,
    code: 'quota_exceeded',
    body: expect.objectContaining({ limit: 10 }),
    after: async ({ owner }) => {
      expect((await owner.does('GET /v1/files')).body).toEqual({ data: [], has_more: false });
      await owner.uploads('b.txt', '1234567890');
    },
  },
  {
    name: 'files.create by a credential of one user makes that user’s files only',
    as: { user: 'u1' },
    call: 'POST /v1/files',
    form: [part('a.txt', 'x')],
    status: 201,
    body: expect.objectContaining({ userId: 'u1' }),
    after: async ({ as }) => {
      const form = [field('userId', 'u2'), part('a.txt', 'x')];
      expect(await as({ user: 'u1' }).does('POST /v1/files', { form })).toMatchObject({ status: 403 });
    },
  },
  {
    name: 'files.create by a credential of an agent makes that agent’s files, and never agent_output',
    as: { agent: 'a1' },
    call: 'POST /v1/files',
    form: [part('a.txt', 'x'), field('purpose', 'agent_output')],
    status: 403,
    code: 'forbidden',
    after: async ({ as }) => {
      const own = await as({ agent: 'a1' }).does('POST /v1/files', { form: [part('a.txt', 'x')] });
      expect(own).toMatchObject({ status: 201, body: { agentId: 'a1', purpose: 'agent_input' } });
      const other = { form: [part('a.txt', 'x'), field('agentId', 'a2')] };
      expect((await as({ agent: 'a1' }).does('POST /v1/files', other)).status).toBe(403);
    },
  },
];

playScenarios('making purpose-tagged files', import.meta.url, CREATE);

playScenarios(
  'purpose-tagged files with a small limit',
  import.meta.url,
  [
    {
      name: 'files.create of more than FILES_MAX_FILE_BYTES is 413, as a form and as JSON',
      call: 'POST /v1/files',
      form: [field('userId', 'u1'), part('a.txt', '12345678901')],
      status: 413,
      code: 'too_large',
      after: async ({ owner }) => {
        const json = { userId: 'u1', content: Buffer.from('12345678901').toString('base64') };
        expect((await owner.does('POST /v1/files', { json })).status).toBe(413);
        await owner.uploads('exact.txt', '1234567890');
      },
    },
  ],
  { env: { FILES_MAX_FILE_BYTES: '10' } },
);
