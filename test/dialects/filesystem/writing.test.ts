import { writeFile } from 'node:fs/promises';
import { type Before, bringAbout, playScenarios, type Scenario } from '../../support/scenario.ts';

const FILES = '/agent/a1/filesystem/files';

const limited =
  (quota: object): Before =>
  async ({ owner }) => {
    await owner.does('POST /agent', { json: { agent_id: 'a1', ...quota } });
    return undefined;
  };

const CREATE: readonly Scenario[] = [
  {
    name: 'filesystem.create makes a file and its parents from JSON, and the workspace with it',
    call: `POST ${FILES}/data/in/notes.txt`,
    json: { content: 'hello wörld' },
    status: 201,
    golden: 'created',
    answers: { etag: expect.stringMatching(/^"[^"]+"$/) },
    leaves: { a1: ['data/', 'data/in/', 'data/in/notes.txt: hello wörld'] },
  },
  {
    name: 'filesystem.create takes base64, counts decoded bytes and sets permissions',
    call: `POST ${FILES}/run.sh`,
    json: { content: Buffer.from('#!/bin/sh\n').toString('base64'), encoding: 'base64', permissions: '755' },
    status: 201,
    body: expect.objectContaining({ path: '/run.sh', size: 10 }),
    after: async ({ owner }) => {
      const { body } = await owner.does('GET /agent/a1/filesystem/metadata/run.sh');
      expect(body).toMatchObject({ permissions: '0755' });
    },
  },
  {
    name: 'filesystem.create takes raw bytes of any other content type, or JSON text with raw=true',
    call: `POST ${FILES}/a.json?raw=true`,
    json: { content: 'not decoded' },
    status: 201,
    leaves: { a1: ['a.json: {"content":"not decoded"}'] },
    after: async ({ owner }) => {
      const text = { raw: 'plain', headers: { 'content-type': 'text/plain' } };
      const answer = await owner.does(`POST ${FILES}/b.txt?permissions=0600`, text);
      expect(answer).toMatchObject({ status: 201, body: { size: 5 } });
      expect(await owner.reads('a1', 'b.txt')).toBe('plain');
    },
  },
  {
    name: 'filesystem.create makes an empty file of an empty body',
    call: `POST ${FILES}/empty`,
    raw: '',
    status: 201,
    body: expect.objectContaining({ size: 0 }),
    leaves: { a1: ['empty: '] },
  },
  {
    name: 'filesystem.create over what exists is 409 unless overwrite',
    given: ['a1/x.txt: old', 'a1/dir/'],
    call: `POST ${FILES}/x.txt`,
    json: { content: 'new' },
    status: 409,
    code: 'exists',
    leaves: { a1: ['dir/', 'x.txt: old'] },
    after: async ({ owner }) => {
      expect((await owner.does(`POST ${FILES}/x.txt`, { json: { content: 'new', overwrite: true } })).status).toBe(201);
      expect(await owner.reads('a1', 'x.txt')).toBe('new');
      expect((await owner.does(`POST ${FILES}/x.txt?overwrite=true`, { raw: 'newer' })).status).toBe(201);
      expect((await owner.does(`POST ${FILES}/dir`, { json: { content: '' } })).status).toBe(409);
      expect((await owner.does(`POST ${FILES}/dir?overwrite=true`, { raw: '' })).status).toBe(400);
    },
  },
  {
    name: 'filesystem.create refuses bodies and paths that are none with 400',
    given: ['a1/x.txt: old'],
    call: `POST ${FILES}/y.txt`,
    json: { content: 'a b=', encoding: 'base64' },
    status: 400,
    code: 'invalid_request',
    leaves: { a1: ['x.txt: old'] },
    after: async ({ owner }) => {
      const bodies = [
        {},
        { content: 1 },
        { content: 'YQ', encoding: 'base64' },
        { content: 'Y-_=', encoding: 'base64' },
        { content: '\ud800' },
        { content: '', encoding: 'hex' },
        { content: '', permissions: '888' },
        { content: '', permissions: 644 },
      ];
      for (const json of bodies) expect((await owner.does(`POST ${FILES}/y.txt`, { json })).status).toBe(400);
      for (const path of ['', '/', 'a%5Cb', 'a%07b', 'dir/', '..', 'x.txt/below', `${'n'.repeat(256)}`]) {
        expect((await owner.does(`POST ${FILES}/${path}`, { json: { content: '' } })).status).toBe(400);
      }
      const broken = { raw: '{"content":', headers: { 'content-type': 'application/json' } };
      expect((await owner.does(`POST ${FILES}/y.txt`, broken)).status).toBe(400);
    },
  },
  {
    name: 'filesystem.create through a link is 403',
    given: ['a1/real/', 'a1/link => real'],
    call: `POST ${FILES}/link/x.txt`,
    json: { content: 'x' },
    status: 403,
    code: 'symlink',
    leaves: { a1: ['link => real', 'real/'] },
  },
  {
    name: 'filesystem.create over the quota of the workspace is 507, and nothing is written',
    before: limited({ quota_bytes: 20 }),
    call: `POST ${FILES}/x.txt`,
    json: { content: 'x'.repeat(21) },
    status: 507,
    code: 'quota_exceeded',
    body: expect.objectContaining({ used: 0, limit: 20, requested: 21 }),
    leaves: { a1: [] },
    after: async ({ owner }) => {
      expect((await owner.does(`POST ${FILES}/x.txt`, { raw: 'x'.repeat(20) })).status).toBe(201);
      expect((await owner.does(`POST ${FILES}/y.txt`, { raw: 'y' })).status).toBe(507);
    },
  },
];

const UPDATE: readonly Scenario[] = [
  {
    name: 'filesystem.update replaces a file and keeps its permissions',
    given: ['a1/x.txt: old'],
    before: async ({ owner }) => {
      await owner.does('PATCH /agent/a1/filesystem/metadata/x.txt', { json: { permissions: '0640' } });
      return undefined;
    },
    call: `PUT ${FILES}/x.txt`,
    json: { content: 'new content' },
    status: 200,
    golden: 'updated',
    leaves: { a1: ['x.txt: new content'] },
    after: async ({ owner }) => {
      const { body } = await owner.does('GET /agent/a1/filesystem/metadata/x.txt');
      expect(body).toMatchObject({ permissions: '0640' });
    },
  },
  {
    name: 'filesystem.update of a missing file is 404, unless upsert=true',
    given: ['a1/'],
    call: `PUT ${FILES}/x.txt`,
    json: { content: 'x' },
    status: 404,
    code: 'not_found',
    leaves: { a1: [] },
    after: async ({ owner }) => {
      expect((await owner.does(`PUT ${FILES}/x.txt?upsert=true`, { json: { content: 'x' } })).status).toBe(200);
      expect((await owner.does('PUT /agent/never-was/filesystem/files/x', { raw: 'x' })).status).toBe(404);
      expect((await owner.does('GET /agent/never-was')).status).toBe(404);
    },
  },
  {
    name: 'filesystem.update with If-Match writes over that version alone',
    given: ['a1/x.txt: old'],
    call: `PUT ${FILES}/x.txt`,
    raw: 'new',
    headers: { 'if-match': '"another"' },
    status: 412,
    code: 'precondition_failed',
    leaves: { a1: ['x.txt: old'] },
    after: async ({ owner }) => {
      const { headers } = await owner.does(`GET ${FILES}/x.txt`);
      const matching = { raw: 'new', headers: { 'if-match': String(headers.etag) } };
      const first = await owner.does(`PUT ${FILES}/x.txt`, matching);
      expect(first.status).toBe(200);
      expect(first.headers.etag).not.toBe(headers.etag);
      expect((await owner.does(`PUT ${FILES}/x.txt`, matching)).status).toBe(412);
      const onlyNew = { raw: 'x', headers: { 'if-none-match': '*' } };
      expect((await owner.does(`PUT ${FILES}/x.txt?upsert=true`, onlyNew)).status).toBe(412);
      expect((await owner.does(`PUT ${FILES}/y.txt?upsert=true`, onlyNew)).status).toBe(200);
    },
  },
  {
    name: 'filesystem.update of a link replaces the link, not what it points to',
    given: ['a1/x.txt: old', 'a1/link => x.txt'],
    call: `PUT ${FILES}/link`,
    raw: 'new',
    status: 200,
    leaves: { a1: ['link: new', 'x.txt: old'] },
  },
  {
    name: 'filesystem.update of a directory is 400, over the quota 507 with the old content as it was',
    given: ['a1/dir/'],
    before: async ({ owner, as, tenant }) => {
      await owner.writes('a1', 'x.txt', 'old');
      await as({ scope: 'admin' }).does(`PUT /admin/tenants/${tenant}`, { json: { quota_bytes: 10 } });
      return undefined;
    },
    call: `PUT ${FILES}/dir`,
    raw: 'x',
    status: 400,
    code: 'is_directory',
    after: async ({ owner }) => {
      expect((await owner.does(`PUT ${FILES}/x.txt`, { raw: 'x'.repeat(11) })).status).toBe(507);
      expect(await owner.reads('a1', 'x.txt')).toBe('old');
      expect((await owner.does(`PUT ${FILES}/x.txt`, { raw: 'x'.repeat(10) })).status).toBe(200);
    },
  },
];

const DELETE: readonly Scenario[] = [
  {
    name: 'filesystem.delete removes a file',
    given: ['a1/x.txt: x', 'a1/y.txt: y'],
    call: `DELETE ${FILES}/x.txt`,
    status: 200,
    golden: 'deleted',
    leaves: { a1: ['y.txt: y'] },
  },
  {
    name: 'filesystem.delete of a missing file, or in a workspace that never was, is 404',
    given: ['a1/'],
    call: `DELETE ${FILES}/x.txt`,
    status: 404,
    code: 'not_found',
    after: async ({ owner }) => {
      expect((await owner.does('DELETE /agent/never-was/filesystem/files/x')).status).toBe(404);
      expect((await owner.does('GET /agent/never-was')).status).toBe(404);
    },
  },
  {
    name: 'filesystem.delete of a directory is 409, full or empty, and of the root too',
    given: ['a1/dir/x.txt: x', 'a1/empty/'],
    call: `DELETE ${FILES}/dir`,
    status: 409,
    after: async ({ owner }) => {
      for (const path of ['/empty', '/', '']) expect((await owner.does(`DELETE ${FILES}${path}`)).status).toBe(409);
      expect(await owner.reads('a1', 'dir/x.txt')).toBe('x');
    },
  },
  {
    name: 'filesystem.delete removes the link, and a name that is not UTF-8 by path_b64',
    given: ['a1/x.txt: x', 'a1/link => x.txt'],
    before: async (world) => {
      await bringAbout(world, 'a1/dir/');
      await writeFile(Buffer.concat([Buffer.from(`${world.disk('a1')}/dir/`), Buffer.of(0xfe)]), '');
      return undefined;
    },
    call: `DELETE ${FILES}/link`,
    status: 200,
    after: async ({ owner }) => {
      const bytes = Buffer.concat([Buffer.from('/dir/'), Buffer.of(0xfe)]).toString('base64');
      const answer = await owner.does(`DELETE ${FILES}?path_b64=${encodeURIComponent(bytes)}`);
      expect(answer).toMatchObject({ status: 200, body: { path: '/dir/\ufffd' } });
      expect(await owner.reads('a1', 'x.txt')).toBe('x');
    },
  },
  {
    name: 'filesystem.delete with If-Match removes that version alone',
    given: ['a1/x.txt: x'],
    call: `DELETE ${FILES}/x.txt`,
    headers: { 'if-match': '"another"' },
    status: 412,
    code: 'precondition_failed',
    leaves: { a1: ['x.txt: x'] },
  },
];

playScenarios('writing a workspace', import.meta.url, [...CREATE, ...UPDATE, ...DELETE]);

playScenarios(
  'writing a workspace with small limits',
  import.meta.url,
  [
    {
      name: 'filesystem.create of more than JSON_MAX_BYTES as JSON is 413, as raw bytes 201',
      call: `POST ${FILES}/x.txt`,
      json: { content: 'x'.repeat(9000) },
      status: 413,
      code: 'too_large',
      body: expect.objectContaining({ detail: expect.stringContaining('raw=true') }),
      after: async ({ owner }) => {
        expect((await owner.does(`POST ${FILES}/x.txt`, { raw: 'x'.repeat(9000) })).status).toBe(201);
      },
    },
    {
      name: 'filesystem.update of more than WORKSPACE_MAX_FILE_BYTES is 413, and the old content stays',
      given: ['a1/x.txt: old'],
      call: `PUT ${FILES}/x.txt`,
      raw: 'x'.repeat(10_001),
      status: 413,
      code: 'too_large',
      leaves: { a1: ['x.txt: old'] },
      after: async ({ owner }) => {
        expect((await owner.does(`PUT ${FILES}/x.txt`, { raw: 'x'.repeat(10_000) })).status).toBe(200);
      },
    },
  ],
  { env: { JSON_MAX_BYTES: '8192', WORKSPACE_MAX_FILE_BYTES: '10000' } },
);
