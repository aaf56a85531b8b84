import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { applyPatch } from 'diff';
import { bringAbout, expectGolden, playScenarios, type Scenario } from '../../support/scenario.ts';

const EDIT = '/agent/a1/filesystem/operations/edit';
const FILES = '/agent/a1/filesystem/files';
const CSV = 'region,amount\nnorth,12\nsouth,2\nwest,2\n';

const edits = (...pairs: readonly (readonly [string, string])[]) => ({
  path: '/f',
  edits: pairs.map(([old_string, new_string]) => ({ old_string, new_string })),
});

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'filesystem.edit replaces text exactly and shows the difference',
    given: [`a1/data/sales.csv: ${CSV}`],
    call: `POST ${EDIT}`,
    json: {
      path: '/data/sales.csv',
      edits: [
        { old_string: 'south,2', new_string: 'south,7\neast,1' },
        { oldString: ',', newString: ';', replaceAll: true },
      ],
    },
    status: 200,
    golden: 'edited',
    answers: { etag: expect.stringMatching(/^"[^"]+"$/) },
    leaves: { a1: ['data/', 'data/sales.csv: region;amount\nnorth;12\nsouth;7\neast;1\nwest;2\n'] },
    after: async ({ owner }, { headers, body }) => {
      const now = await owner.does(`GET ${FILES}/data/sales.csv?raw=true`);
      expect(body).toMatchObject({ etag: now.headers.etag, occurrences: 6 });
      expect(headers.etag).toBe(now.headers.etag);
      expect(applyPatch(CSV, (body as { diff: string }).diff)).toBe(now.text);
    },
  },
  {
    name: 'filesystem.edit in a dry run says the same and does nothing',
    given: ['a1/f: one\ntwo\n'],
    call: `POST ${EDIT}`,
    json: { ...edits(['one', '1'], ['two', '2']), dry_run: true },
    status: 200,
    body: expect.objectContaining({ occurrences: 2, diff: expect.stringContaining('\n-one\n-two\n+1\n+2\n') }),
    leaves: { a1: ['f: one\ntwo\n'] },
    after: async ({ owner }, { headers }) => {
      expect((await owner.does(`GET ${FILES}/f`)).headers.etag).toBe(headers.etag);
      const matching = { json: edits(['one', '1']), headers: { 'if-match': String(headers.etag) } };
      expect((await owner.does(`POST ${EDIT}`, matching)).status).toBe(200);
      const dry = { ...matching, json: { ...edits(['1', '2']), dry_run: true } };
      expect((await owner.does(`POST ${EDIT}`, dry)).status).toBe(412);
      const missing = { json: { ...edits(['1', '2']), path: '/no', dry_run: true } };
      expect((await owner.does(`POST ${EDIT}`, missing)).status).toBe(404);
    },
  },
  {
    name: 'filesystem.edit of an absent text is 409 with the count, and applies no other edit',
    given: ['a1/f: one\ntwo\n'],
    call: `POST ${EDIT}`,
    json: edits(['one', '1'], ['three', '3']),
    status: 409,
    code: 'conflict',
    leaves: { a1: ['f: one\ntwo\n'] },
    after: async (world, { body }) => expectGolden(world, body, 'edit-absent', import.meta.url),
  },
  {
    name: 'filesystem.edit of a text that is not unique is 409 with the count, unless replace_all',
    given: ['a1/f: one\none\none\n'],
    call: `POST ${EDIT}`,
    json: edits(['one', '1']),
    status: 409,
    code: 'conflict',
    leaves: { a1: ['f: one\none\none\n'] },
    after: async (world, { body }) => {
      await expectGolden(world, body, 'edit-not-unique', import.meta.url);
      const json = { path: 'f', edits: [{ old_string: 'one', new_string: '1', replace_all: true }] };
      const all = await world.owner.does(`POST ${EDIT}`, { json });
      expect(all).toMatchObject({ status: 200, body: { path: '/f', occurrences: 3 } });
    },
  },
  {
    name: 'filesystem.edit keeps CRLF and a byte order mark',
    given: ['a1/'],
    before: async (world) => {
      await bringAbout(world, 'a1/home/');
      await writeFile(join(world.disk('a1'), 'f'), '\ufeffone\r\ntwo\r\nthree\r\n');
      return undefined;
    },
    call: `POST ${EDIT}`,
    json: edits(['one\ntwo', '1\n2\n2b']),
    status: 200,
    after: async ({ owner }, { body }) => {
      expect(await owner.reads('a1', 'f')).toBe('\ufeff1\r\n2\r\n2b\r\nthree\r\n');
      expect((body as { diff: string }).diff).toContain('\n-\ufeffone\r\n-two\r\n+\ufeff1\r\n+2\r\n+2b\r\n three\r\n');
    },
  },
  {
    name: 'filesystem.edit refuses what is no edit with 400',
    given: ['a1/f: old'],
    call: `POST ${EDIT}`,
    json: edits(['', 'x']),
    status: 400,
    code: 'invalid_request',
    body: expect.objectContaining({ detail: expect.stringContaining('"edits[0].old_string"') }),
    leaves: { a1: ['f: old'] },
    after: async ({ owner }) => {
      const bodies = [
        edits(['old', 'old']),
        edits(['\ud800', 'x']),
        edits(['old', '\udc00']),
        edits(['x'.repeat(1024 * 1024 + 1), '']),
        edits(),
        edits(...Array.from({ length: 101 }, () => ['old', 'new'] as const)),
        { path: '/f' },
        { edits: edits(['old', 'new']).edits },
        { path: '/f', edits: [{ old_string: 'old' }] },
        { ...edits(['old', 'new']), path: '../f' },
        { ...edits(['old', 'new']), path: '/' },
      ];
      for (const json of bodies) expect(await owner.does(`POST ${EDIT}`, { json })).toMatchObject({ status: 400 });
      expect(await owner.reads('a1', 'f')).toBe('old');
    },
  },
  {
    name: 'filesystem.edit of what is not UTF-8 is 415 with a sentence',
    given: ['a1/'],
    before: async (world) => {
      await bringAbout(world, 'a1/home/');
      await writeFile(join(world.disk('a1'), 'f'), Buffer.of(0x61, 0xff));
      return undefined;
    },
    call: `POST ${EDIT}`,
    json: edits(['a', 'b']),
    status: 415,
    code: 'unsupported',
    body: expect.objectContaining({ detail: expect.stringMatching(/is not UTF-8 text.*PATCH/) }),
  },
  {
    name: 'filesystem.edit of a missing file or workspace is 404, of a directory 400, of or through a link 403',
    given: ['a1/dir/', 'a1/f: old', 'a1/link => f', 'a1/out => /etc'],
    call: `POST ${EDIT}`,
    json: { ...edits(['old', 'new']), path: '/no' },
    status: 404,
    code: 'not_found',
    after: async ({ owner }) => {
      const codeOf = async (path: string) =>
        (await owner.does(`POST ${EDIT}`, { json: { ...edits(['root', 'x']), path } })).body;
      expect(await codeOf('/dir')).toMatchObject({ status: 400, code: 'is_directory' });
      expect(await codeOf('/link')).toMatchObject({ status: 403, code: 'symlink' });
      expect(await codeOf('/out/passwd')).toMatchObject({ status: 403, code: 'symlink' });
      const elsewhere = '/agent/never-was/filesystem/operations/edit';
      expect((await owner.does(`POST ${elsewhere}`, { json: edits(['old', 'new']) })).status).toBe(404);
      expect((await owner.does('GET /agent/never-was')).status).toBe(404);
    },
  },
  {
    name: 'filesystem.edit with If-Match edits that version alone, and keeps permissions and tags',
    given: ['a1/f: old'],
    before: async ({ owner }) => {
      await owner.does('PATCH /agent/a1/filesystem/metadata/f', { json: { permissions: '750', tags: ['kept'] } });
      return undefined;
    },
    call: `POST ${EDIT}`,
    json: edits(['old', 'new']),
    headers: { 'if-match': '"another"' },
    status: 412,
    code: 'precondition_failed',
    leaves: { a1: ['f: old'] },
    after: async ({ owner }) => {
      const { headers } = await owner.does(`GET ${FILES}/f`);
      const matching = { headers: { 'if-match': String(headers.etag) } };
      expect((await owner.does(`POST ${EDIT}`, { ...matching, json: edits(['old', 'new']) })).status).toBe(200);
      expect((await owner.does(`POST ${EDIT}`, { ...matching, json: edits(['new', 'newer']) })).status).toBe(412);
      const { body } = await owner.does('GET /agent/a1/filesystem/metadata/f');
      expect(body).toMatchObject({ permissions: '0750', tags: ['kept'] });
    },
  },
  {
    name: 'filesystem.edit over the quota is 507 with the old content as it was',
    given: ['a1/f: 12345678'],
    before: async ({ as, tenant }) => {
      await as({ scope: 'admin' }).does(`PUT /admin/tenants/${tenant}`, { json: { quota_bytes: 10 } });
      return undefined;
    },
    call: `POST ${EDIT}`,
    json: edits(['8', '8901']),
    status: 507,
    code: 'quota_exceeded',
    leaves: { a1: ['f: 12345678'] },
  },
];

playScenarios('editing files of a workspace', import.meta.url, SCENARIOS);

playScenarios(
  'editing files with a small EDIT_MAX_BYTES',
  import.meta.url,
  [
    {
      name: 'filesystem.edit of a file that is or would be too large is 413, naming the limit',
      given: [`a1/f: ${'x'.repeat(999)}y`, `a1/big: ${'x'.repeat(1000)}y`],
      call: `POST ${EDIT}`,
      json: edits(['y', 'zz']),
      status: 413,
      code: 'too_large',
      body: expect.objectContaining({ detail: expect.stringContaining('at most 1000 bytes'), limit: 1000 }),
      after: async ({ owner }) => {
        for (const dry_run of [true, false]) {
          const json = { ...edits(['xy', '']), path: '/big', dry_run };
          expect((await owner.does(`POST ${EDIT}`, { json })).status).toBe(413);
        }
        expect((await owner.does(`POST ${EDIT}`, { json: edits(['y', 'z']) })).status).toBe(200);
      },
    },
  ],
  { env: { EDIT_MAX_BYTES: '1000' } },
);
