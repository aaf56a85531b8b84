import { linesOf, playScenarios, type Scenario } from '../../support/scenario.ts';

const MIB = 1024 * 1024;
const file = (filename: string, value: string | Uint8Array, name = 'files') => ({ name, filename, value });
const field = (name: string, value: string) => ({ name, value });

const UPLOAD: readonly Scenario[] = [
  {
    name: 'store.upload keeps several files below the prefix, which may come before the parts',
    call: 'POST /api/v1/files/upload',
    form: [field('path', 'in/2026/'), file('a.csv', '1,2'), file('b.csv', '3,4,5')],
    status: 200,
    golden: 'uploaded',
    leaves: { store: ['in/', 'in/2026/', 'in/2026/a.csv: 1,2', 'in/2026/b.csv: 3,4,5'] },
  },
  {
    name: 'store.upload takes the prefix after the parts as well, and replaces a file that exists',
    given: ['store/in/a.csv: old and longer'],
    call: 'POST /api/v1/files/upload',
    form: [file('a.csv', 'new'), field('path', '/in')],
    status: 200,
    body: { uploaded: [{ path: 'in/a.csv', size: 3 }] },
    leaves: { store: ['in/', 'in/a.csv: new'] },
  },
  {
    name: 'store.upload keeps the safe relative part of a filename with slashes',
    call: 'POST /api/v1/files/upload',
    form: [file('dir/sub/a.txt', '1'), file('../../etc/passwd', '2'), file('/abs/c.txt', '3'), file('./d.txt', '4')],
    status: 200,
    body: {
      uploaded: [
        { path: 'dir/sub/a.txt', size: 1 },
        { path: 'etc/passwd', size: 1 },
        { path: 'abs/c.txt', size: 1 },
        { path: 'd.txt', size: 1 },
      ],
    },
    leaves: {
      store: ['abs/', 'abs/c.txt: 3', 'd.txt: 4', 'dir/', 'dir/sub/', 'dir/sub/a.txt: 1', 'etc/', 'etc/passwd: 2'],
    },
  },
  {
    name: 'store.upload reads filenames as UTF-8',
    call: 'POST /api/v1/files/upload',
    form: [file('año 文.txt', 'x')],
    status: 200,
    body: { uploaded: [{ path: 'año 文.txt', size: 1 }] },
  },
  {
    name: 'store.upload without files is 400',
    call: 'POST /api/v1/files/upload',
    form: [field('path', 'in')],
    status: 400,
    code: 'invalid_request',
    after: async ({ owner }) => {
      const notAForm = await owner.does('POST /api/v1/files/upload', { json: { path: 'in' } });
      expect(notAForm.status).toBe(415);
    },
  },
  {
    name: 'store.upload refuses names that are no names, and keeps none of the parts',
    call: 'POST /api/v1/files/upload',
    form: [file('good.txt', '1'), file('../..', '2')],
    status: 400,
    leaves: { store: [] },
    after: async ({ owner, disk }) => {
      const refused = [
        [file('good.txt', '1'), file('a\\b.txt', '2')],
        [file('good.txt', '1'), file('a\u0007b', '2')],
        [file('good.txt', '1'), file('x'.repeat(256), '2')],
        [file('good.txt', '1'), file('good.txt', '2')],
        [file('good.txt', '1'), file('other.txt', '2', 'file')],
        [file('good.txt', '1'), field('path', '../out')],
      ];
      for (const form of refused) expect((await owner.does('POST /api/v1/files/upload', { form })).status).toBe(400);
      expect(await linesOf(disk('store'))).toEqual([]);
    },
  },
  {
    name: 'store.upload takes 50 MiB inclusive, and keeps no part when one is larger: 413',
    call: 'POST /api/v1/files/upload',
    form: [file('small.txt', 'x'), file('huge.bin', Buffer.alloc(50 * MIB + 1))],
    status: 413,
    code: 'too_large',
    leaves: { store: [] },
    after: async ({ owner }) => {
      const exact = await owner.does('POST /api/v1/files/upload', {
        form: [file('exact.bin', Buffer.alloc(50 * MIB))],
      });
      expect(exact.body).toEqual({ uploaded: [{ path: 'exact.bin', size: 52_428_800 }] });
    },
  },
  {
    name: 'store.upload over the quota is 507 with used, limit and requested, and keeps no part',
    given: ['store/old.txt: 0123456789'],
    before: async ({ as, tenant }) => {
      await as({ scope: 'admin' }).does(`PUT /admin/tenants/${tenant}`, { json: { quota_bytes: 100 } });
      return undefined;
    },
    call: 'POST /api/v1/files/upload',
    form: [file('fits.bin', Buffer.alloc(50, 1)), file('too-much.bin', Buffer.alloc(60, 1))],
    status: 507,
    code: 'quota_exceeded',
    body: expect.objectContaining({ used: expect.any(Number), limit: 100, requested: expect.any(Number) }),
    leaves: { store: ['old.txt: 0123456789'] },
  },
  {
    name: 'store.upload where a file stands for a directory, or a directory for the file, is 400',
    given: ['store/a.txt: x', 'store/dir/'],
    call: 'POST /api/v1/files/upload',
    form: [field('path', 'a.txt'), file('b.txt', '1')],
    status: 400,
    after: async ({ owner }) => {
      const overDirectory = await owner.does('POST /api/v1/files/upload', { form: [file('dir', '1')] });
      expect(overDirectory).toMatchObject({ status: 400, body: { code: 'is_directory' } });
    },
  },
  {
    name: 'store.upload holds If-Match and If-None-Match against the one file it replaces',
    given: ['store/a.txt: old'],
    call: 'POST /api/v1/files/upload',
    form: [file('a.txt', 'new')],
    headers: { 'if-none-match': '*' },
    status: 412,
    code: 'precondition_failed',
    leaves: { store: ['a.txt: old'] },
    after: async ({ owner }) => {
      const { headers } = await owner.does('HEAD /api/v1/files/download?path=a.txt');
      const matching = { form: [file('a.txt', 'new')], headers: { 'if-match': String(headers.etag) } };
      expect((await owner.does('POST /api/v1/files/upload', matching)).status).toBe(200);
      expect((await owner.does('POST /api/v1/files/upload', matching)).status).toBe(412);
      const several = { form: [file('a.txt', '1'), file('b.txt', '2')], headers: { 'if-match': '*' } };
      expect((await owner.does('POST /api/v1/files/upload', several)).status).toBe(400);
    },
  },
  {
    name: 'store.upload takes 500 files in one request',
    call: 'POST /api/v1/files/upload',
    form: Array.from({ length: 500 }, (_, n) => file(`many/${n % 7}/file-${n}.txt`, `content ${n}`)),
    status: 200,
    after: async ({ owner }, answer) => {
      const { uploaded } = answer.body as { uploaded: { path: string }[] };
      expect(uploaded).toHaveLength(500);
      expect(uploaded[499]).toEqual({ path: 'many/2/file-499.txt', size: 11 });
      const { body } = await owner.does('GET /api/v1/files?path=many/2&limit=1000');
      expect((body as { files: unknown[] }).files).toHaveLength(72);
    },
  },
];

const DELETE: readonly Scenario[] = [
  {
    name: 'store.delete removes a file',
    given: ['store/in/a.txt: x', 'store/in/b.txt: y'],
    call: 'DELETE /api/v1/files?path=in/a.txt',
    status: 204,
    text: '',
    leaves: { store: ['in/', 'in/b.txt: y'] },
  },
  { name: 'store.delete of what is gone already is 204', call: 'DELETE /api/v1/files?path=no/such.txt', status: 204 },
  { name: 'store.delete without a path is 400', call: 'DELETE /api/v1/files', status: 400, code: 'invalid_request' },
  {
    name: 'store.delete of a directory is 400 unless recursive, also when it is empty',
    given: ['store/in/a.txt: x', 'store/empty/'],
    call: 'DELETE /api/v1/files?path=in',
    status: 400,
    leaves: { store: ['empty/', 'in/', 'in/a.txt: x'] },
    after: async ({ owner }) => {
      expect((await owner.does('DELETE /api/v1/files?path=empty')).status).toBe(400);
      expect((await owner.does('DELETE /api/v1/files?path=/')).status).toBe(400);
    },
  },
  {
    name: 'store.delete with recursive=true removes a directory whole, links in it unfollowed',
    given: ['store/keep.txt: x', 'store/in/a.txt: x', 'store/in/link => ../keep.txt'],
    call: 'DELETE /api/v1/files?path=in/&recursive=true',
    status: 204,
    leaves: { store: ['keep.txt: x'] },
  },
  {
    name: 'store.delete with If-Match removes that version alone',
    given: ['store/a.txt: x'],
    call: 'DELETE /api/v1/files?path=a.txt',
    headers: { 'if-match': '"another"' },
    status: 412,
    code: 'precondition_failed',
    leaves: { store: ['a.txt: x'] },
  },
];

const MOVE: readonly Scenario[] = [
  {
    name: 'store.move moves a file, makes parents and carries metadata along',
    given: ['store/a.txt: x'],
    before: async ({ owner }) => {
      await owner.does('PATCH /api/v1/files/metadata?path=a.txt', { json: { tags: ['t'], metadata: { k: 1 } } });
      return undefined;
    },
    call: 'POST /api/v1/files/move',
    json: { src_path: '/a.txt', dst_path: 'new/place/b.txt' },
    status: 200,
    golden: 'moved',
    leaves: { store: ['new/', 'new/place/', 'new/place/b.txt: x'] },
    after: async ({ owner }) => {
      const { body } = await owner.does('GET /api/v1/files/metadata?path=new/place/b.txt');
      expect(body).toMatchObject({ tags: ['t'], metadata: { k: 1 } });
    },
  },
  {
    name: 'store.move moves a directory with all below it, and takes camelCase as well',
    given: ['store/in/sub/a.txt: x'],
    call: 'POST /api/v1/files/move',
    json: { srcPath: 'in', dstPath: 'out' },
    status: 200,
    leaves: { store: ['out/', 'out/sub/', 'out/sub/a.txt: x'] },
  },
  {
    name: 'store.move of a missing source is 400',
    call: 'POST /api/v1/files/move',
    json: { src_path: 'no.txt', dst_path: 'b.txt' },
    status: 400,
    code: 'not_found',
  },
  {
    name: 'store.move onto what exists is 400 unless overwrite',
    given: ['store/a.txt: new', 'store/b.txt: old'],
    call: 'POST /api/v1/files/move',
    json: { src_path: 'a.txt', dst_path: 'b.txt' },
    status: 400,
    code: 'exists',
    leaves: { store: ['a.txt: new', 'b.txt: old'] },
    after: async ({ owner, disk }) => {
      const json = { src_path: 'a.txt', dst_path: 'b.txt', overwrite: true };
      expect((await owner.does('POST /api/v1/files/move', { json })).status).toBe(200);
      expect(await linesOf(disk('store'))).toEqual(['b.txt: new']);
    },
  },
  {
    name: 'store.move that lacks a field, or goes into itself, is 400',
    given: ['store/in/a.txt: x'],
    call: 'POST /api/v1/files/move',
    json: { src_path: 'in' },
    status: 400,
    code: 'invalid_request',
    after: async ({ owner }) => {
      for (const [src_path, dst_path] of [
        ['in', 'in/deeper'],
        ['in', 'in'],
        ['/', 'x'],
        ['in/a.txt', '../x'],
        ['in/a.txt', '/'],
      ]) {
        expect((await owner.does('POST /api/v1/files/move', { json: { src_path, dst_path } })).status).toBe(400);
      }
    },
  },
];

const MKDIR: readonly Scenario[] = [
  {
    name: 'store.mkdir makes a directory and its parents, and succeeds again',
    call: 'POST /api/v1/files/mkdir',
    json: { path: '/in/deep/er/' },
    status: 200,
    body: { success: true },
    leaves: { store: ['in/', 'in/deep/', 'in/deep/er/'] },
    after: async ({ owner }) => {
      for (const path of ['in/deep', 'in/deep/er', '/']) {
        expect((await owner.does('POST /api/v1/files/mkdir', { json: { path } })).body).toEqual({ success: true });
      }
    },
  },
  {
    name: 'store.mkdir where a file is in the way is 400',
    given: ['store/a.txt: x'],
    call: 'POST /api/v1/files/mkdir',
    json: { path: 'a.txt' },
    status: 400,
    code: 'exists',
    after: async ({ owner }) => {
      for (const path of ['a.txt/sub', 'a\\b', 'a/../b', '']) {
        expect((await owner.does('POST /api/v1/files/mkdir', { json: { path } })).status).toBe(400);
      }
    },
  },
];

playScenarios('writing the store', import.meta.url, [...UPLOAD, ...DELETE, ...MOVE, ...MKDIR]);
