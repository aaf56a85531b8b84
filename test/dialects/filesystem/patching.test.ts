import { mkdir, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { playScenarios, type Scenario } from '../../support/scenario.ts';

const FILES = '/agent/a1/filesystem/files';

const PATCH: readonly Scenario[] = [
  {
    name: 'filesystem.patch appends to a file',
    given: ['a1/data/log.txt: one\n'],
    call: `PATCH ${FILES}/data/log.txt`,
    json: { operation: 'append', content: 'zwei wörter\n' },
    status: 200,
    golden: 'patched',
    answers: { etag: expect.stringMatching(/^"[^"]+"$/) },
    leaves: { a1: ['data/', 'data/log.txt: one\nzwei wörter\n'] },
    after: async ({ owner }, { headers }) => {
      const { headers: now } = await owner.does(`GET ${FILES}/data/log.txt`);
      expect(now.etag).toBe(headers.etag);
    },
  },
  ...(
    [
      ['prepends', { operation: 'prepend', content: 'ab' }, 'ab012345'],
      ['inserts', { operation: 'insert', content: 'ab', position: 2 }, '01ab2345'],
      ['inserts at the end', { operation: 'insert', content: 'ab', position: 6 }, '012345ab'],
      ['replaces as many bytes as come', { operation: 'replace', content: 'ab', position: 1 }, '0ab345'],
      ['replaces up to the end and beyond', { operation: 'replace', content: 'abc', position: 5 }, '01234abc'],
      ['replaces so many', { operation: 'replace', content: 'ab', position: 1, length: 4 }, '0ab5'],
      ['replaces none', { operation: 'replace', content: 'ab', position: 1, length: 0 }, '0ab12345'],
      ['takes bytes away', { operation: 'replace', content: '', position: 0, length: 6 }, ''],
      ['takes base64', { operation: 'append', content: 'YWI=', encoding: 'base64' }, '012345ab'],
    ] as const
  ).map(
    ([does, json, left]): Scenario => ({
      name: `filesystem.patch ${does}`,
      given: ['a1/f: 012345'],
      call: `PATCH ${FILES}/f`,
      json,
      status: 200,
      body: expect.objectContaining({ path: '/f', size: left.length }),
      leaves: { a1: [`f: ${left}`] },
    }),
  ),
  ...(
    [
      { operation: 'insert', content: 'x', position: 7 },
      { operation: 'replace', content: 'x', position: 7 },
      { operation: 'replace', content: 'x', position: 2, length: 5 },
    ] as const
  ).map(
    (json): Scenario => ({
      name: `filesystem.patch beyond the file is 400 with its size: ${JSON.stringify(json)}`,
      given: ['a1/f: 012345'],
      call: `PATCH ${FILES}/f`,
      json,
      status: 400,
      code: 'invalid_request',
      body: expect.objectContaining({ detail: expect.stringContaining('has 6 bytes'), limit: 6, path: 'f' }),
      leaves: { a1: ['f: 012345'] },
    }),
  ),
  {
    name: 'filesystem.patch refuses what is no patch with 400',
    given: ['a1/f: old'],
    call: `PATCH ${FILES}/f`,
    json: { operation: 'truncate', content: '' },
    status: 400,
    code: 'invalid_request',
    after: async ({ owner }) => {
      const bodies = [
        { operation: 'append' },
        { content: 'x' },
        { operation: 'append', content: 'x', position: 0 },
        { operation: 'prepend', content: 'x', length: 1 },
        { operation: 'insert', content: 'x' },
        { operation: 'insert', content: 'x', position: 0, length: 1 },
        { operation: 'insert', content: 'x', position: -1 },
        { operation: 'insert', content: 'x', position: 0.5 },
        { operation: 'replace', content: 'x', length: 1 },
        { operation: 'append', content: 'no base64!', encoding: 'base64' },
        { operation: 'append', content: '\ud800' },
      ];
      for (const json of bodies) {
        expect(await owner.does(`PATCH ${FILES}/f`, { json })).toMatchObject({ status: 400 });
      }
      expect((await owner.does(`PATCH ${FILES}/f`, { raw: 'x' })).status).toBe(415);
      expect(await owner.reads('a1', 'f')).toBe('old');
    },
  },
  {
    name: 'filesystem.patch of a missing file or workspace is 404, and makes neither',
    given: ['a1/'],
    call: `PATCH ${FILES}/no.txt`,
    json: { operation: 'append', content: 'x' },
    status: 404,
    code: 'not_found',
    leaves: { a1: [] },
    after: async ({ owner }) => {
      const sent = { json: { operation: 'append', content: 'x' } };
      expect((await owner.does('PATCH /agent/never-was/filesystem/files/x', sent)).status).toBe(404);
      expect((await owner.does('GET /agent/never-was')).status).toBe(404);
    },
  },
  {
    name: 'filesystem.patch of a directory is 400, through or of a link 403, of a socket 403',
    given: ['a1/dir/', 'a1/f: old', 'a1/link => f'],
    before: async (world) => {
      await mkdir(join(world.disk('a1'), 'in'));
      await symlink('/etc', join(world.disk('a1'), 'out'));
      const server = createServer().listen(join(world.disk('a1'), 's'));
      await new Promise((resolve) => server.once('listening', resolve));
      server.unref();
      return undefined;
    },
    call: `PATCH ${FILES}/link`,
    json: { operation: 'append', content: 'x' },
    status: 403,
    code: 'symlink',
    after: async ({ owner }) => {
      const codeOf = async (path: string) =>
        (await owner.does(`PATCH ${FILES}${path}`, { json: { operation: 'append', content: 'x' } })).body;
      expect(await codeOf('/dir')).toMatchObject({ status: 400, code: 'is_directory' });
      expect(await codeOf('')).toMatchObject({ status: 400, code: 'is_directory' });
      expect(await codeOf('/out/passwd')).toMatchObject({ status: 403, code: 'symlink' });
      expect(await codeOf('/s')).toMatchObject({ status: 403, code: 'special_file' });
      expect(await codeOf('/f/x')).toMatchObject({ status: 400, code: 'not_directory' });
      expect(await codeOf('/%2e%2e/x')).toMatchObject({ status: 400, code: 'invalid_path' });
      expect(await owner.reads('a1', 'f')).toBe('old');
    },
  },
  {
    name: 'filesystem.patch with If-Match changes that version alone',
    given: ['a1/f: old'],
    call: `PATCH ${FILES}/f`,
    json: { operation: 'append', content: '!' },
    headers: { 'if-match': '"another"' },
    status: 412,
    code: 'precondition_failed',
    leaves: { a1: ['f: old'] },
    after: async ({ owner }) => {
      const { headers } = await owner.does(`GET ${FILES}/f`);
      const matching = { json: { operation: 'append', content: '!' }, headers: { 'if-match': String(headers.etag) } };
      expect((await owner.does(`PATCH ${FILES}/f`, matching)).status).toBe(200);
      expect((await owner.does(`PATCH ${FILES}/f`, matching)).status).toBe(412);
      expect(await owner.reads('a1', 'f')).toBe('old!');
    },
  },
  {
    name: 'filesystem.patch over the quota is 507 with the old content as it was, and keeps permissions and tags',
    given: ['a1/f: 12345678'],
    before: async ({ owner, as, tenant }) => {
      await owner.does('PATCH /agent/a1/filesystem/metadata/f', { json: { permissions: '750', tags: ['kept'] } });
      await as({ scope: 'admin' }).does(`PUT /admin/tenants/${tenant}`, { json: { quota_bytes: 10 } });
      return undefined;
    },
    call: `PATCH ${FILES}/f`,
    json: { operation: 'append', content: '901' },
    status: 507,
    code: 'quota_exceeded',
    leaves: { a1: ['f: 12345678'] },
    after: async ({ owner }) => {
      expect((await owner.does(`PATCH ${FILES}/f`, { json: { operation: 'append', content: '90' } })).status).toBe(200);
      const { body } = await owner.does('GET /agent/a1/filesystem/metadata/f');
      expect(body).toMatchObject({ permissions: '0750', tags: ['kept'], size: 10 });
    },
  },
];

playScenarios('patching files of a workspace', import.meta.url, PATCH);

playScenarios(
  'patching files with a small EDIT_MAX_BYTES',
  import.meta.url,
  [
    {
      name: 'filesystem.patch of a file that is or would be too large is 413, naming the limit',
      given: [`a1/f: ${'x'.repeat(1000)}`, `a1/big: ${'x'.repeat(1001)}`],
      call: `PATCH ${FILES}/f`,
      json: { operation: 'append', content: '!' },
      status: 413,
      code: 'too_large',
      body: expect.objectContaining({ detail: expect.stringContaining('at most 1000 bytes'), limit: 1000 }),
      after: async ({ owner }) => {
        const shorter = { json: { operation: 'replace', content: '', position: 0, length: 500 } };
        expect((await owner.does(`PATCH ${FILES}/big`, shorter)).status).toBe(413);
        expect((await owner.does(`PATCH ${FILES}/f`, shorter)).status).toBe(200);
      },
    },
  ],
  { env: { EDIT_MAX_BYTES: '1000' } },
);
