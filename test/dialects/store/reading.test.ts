import { createHash } from 'node:crypto';
import { playScenarios, type Scenario } from '../../support/scenario.ts';

const LIST: readonly Scenario[] = [
  {
    name: 'store.list shows files and directories of one level, sorted by name',
    given: ['store/in/b.csv: 1,2,3', 'store/in/a/deep.txt: x', 'store/other.txt: y'],
    call: 'GET /api/v1/files?path=in',
    status: 200,
    golden: 'list',
  },
  {
    name: 'store.list takes the root by default, and a path with slashes around it',
    given: ['store/in/b.csv: 1'],
    call: 'GET /api/v1/files',
    status: 200,
    body: { files: [{ name: 'in', path: 'in', is_dir: true }] },
    after: async ({ owner }) => {
      for (const path of ['/in', 'in/', '/in/', '%2Fin']) {
        const { body } = await owner.does(`GET /api/v1/files?path=${path}`);
        expect(body).toMatchObject({ files: [{ name: 'b.csv', path: 'in/b.csv', size: 1, is_dir: false }] });
      }
    },
  },
  {
    name: 'store.list of a missing directory, also of a store that never was, is empty',
    call: 'GET /api/v1/files?path=nowhere/at/all',
    status: 200,
    body: { files: [] },
  },
  {
    name: 'store.list of a file is 400',
    given: ['store/a.txt: x'],
    call: 'GET /api/v1/files?path=a.txt',
    status: 400,
    code: 'not_directory',
  },
  ...['..', 'a/../b', 'a%2F..%2Fb', 'a//b', './a', 'a%00b'].map(
    (path): Scenario => ({
      name: `store.list refuses the path ${path}`,
      call: `GET /api/v1/files?path=${path}`,
      status: 400,
      code: 'invalid_path',
    }),
  ),
  {
    name: 'store.list shows a link that someone planted and never follows it',
    given: ['store/secret/x.txt: x', 'store/link => secret'],
    call: 'GET /api/v1/files',
    status: 200,
    body: {
      files: [
        expect.objectContaining({ name: 'link', path: 'link', type: 'symlink', target: 'secret', is_dir: false }),
        { name: 'secret', path: 'secret', is_dir: true },
      ],
    },
    after: async ({ owner }) => {
      expect((await owner.does('GET /api/v1/files?path=link')).body).toMatchObject({ status: 403, code: 'symlink' });
    },
  },
  {
    name: 'store.list pages by limit and cursor, and says next_cursor only when there is more',
    given: ['store/a: 1', 'store/b/', 'store/c: 3'],
    call: 'GET /api/v1/files?limit=2',
    status: 200,
    after: async ({ owner }, answer) => {
      const first = answer.body as { files: { name: string }[]; next_cursor: string };
      expect(first.files.map(({ name }) => name)).toEqual(['a', 'b']);
      const { body } = await owner.does(`GET /api/v1/files?limit=2&cursor=${first.next_cursor}`);
      expect(body).toEqual({ files: [expect.objectContaining({ name: 'c' })] });
    },
  },
  {
    name: 'store.list refuses a cursor that is none',
    call: 'GET /api/v1/files?cursor=%2Fetc%2Fpasswd',
    status: 400,
    code: 'invalid_request',
  },
  {
    name: 'store.list refuses a repeated parameter and a limit that is no number',
    call: 'GET /api/v1/files?path=a&path=b',
    status: 400,
    code: 'invalid_request',
    after: async ({ owner }) => {
      expect((await owner.does('GET /api/v1/files?limit=many')).status).toBe(400);
      expect((await owner.does('GET /api/v1/files?limit=0')).status).toBe(400);
    },
  },
];

const DOWNLOAD: readonly Scenario[] = [
  {
    name: 'store.download sends the bytes as application/octet-stream',
    given: ['store/in/a.html: <script>alert(1)</script>'],
    call: 'GET /api/v1/files/download?path=in/a.html',
    status: 200,
    text: '<script>alert(1)</script>',
    answers: {
      'content-type': 'application/octet-stream',
      'content-length': '25',
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
      'content-disposition': expect.stringMatching(/^attachment; filename="?a\.html"?/),
      etag: expect.stringMatching(/^"[^"]+"$/),
      'last-modified': expect.any(String),
    },
  },
  {
    name: 'store.download answers a range with 206, and one beyond the end with 416',
    given: ['store/a.txt: 0123456789'],
    call: 'GET /api/v1/files/download?path=a.txt',
    headers: { range: 'bytes=2-4' },
    status: 206,
    text: '234',
    answers: { 'content-range': 'bytes 2-4/10' },
    after: async ({ owner }) => {
      const beyond = await owner.does('GET /api/v1/files/download?path=a.txt', { headers: { range: 'bytes=20-' } });
      expect(beyond).toMatchObject({ status: 416, body: { code: 'range_not_satisfiable' } });
    },
  },
  {
    name: 'store.download answers HEAD, and 304 to who has the version',
    given: ['store/a.txt: hello'],
    call: 'HEAD /api/v1/files/download?path=a.txt',
    status: 200,
    text: '',
    answers: { 'content-length': '5' },
    after: async ({ owner }, { headers }) => {
      const again = { headers: { 'if-none-match': String(headers.etag) } };
      expect((await owner.does('GET /api/v1/files/download?path=a.txt', again)).status).toBe(304);
    },
  },
  {
    name: 'store.download of a name with quotes, spaces and other scripts keeps the name',
    given: ['store/año "1" 文.txt: x'],
    call: `GET /api/v1/files/download?path=${encodeURIComponent('año "1" 文.txt')}`,
    status: 200,
    answers: {
      'content-disposition': expect.stringContaining(`filename*=UTF-8''a%C3%B1o%20%221%22%20%E6%96%87.txt`),
    },
  },
  {
    name: 'store.download without a path is 400',
    call: 'GET /api/v1/files/download',
    status: 400,
    code: 'invalid_request',
  },
  {
    name: 'store.download of a directory is 400',
    given: ['store/in/'],
    call: 'GET /api/v1/files/download?path=in',
    status: 400,
    code: 'is_directory',
    after: async ({ owner }) => {
      expect((await owner.does('GET /api/v1/files/download?path=/')).status).toBe(400);
      expect((await owner.does('GET /api/v1/files/download?path=in/')).status).toBe(400);
    },
  },
  {
    name: 'store.download of nothing is 404',
    call: 'GET /api/v1/files/download?path=no.txt',
    status: 404,
    code: 'not_found',
  },
  {
    name: 'store.download of a link is 403, whatever it points to',
    given: ['store/a.txt: x', 'store/link => a.txt', 'store/out => /etc/passwd', 'store/dir => .'],
    call: 'GET /api/v1/files/download?path=link',
    status: 403,
    code: 'symlink',
    after: async ({ owner }) => {
      for (const path of ['out', 'dir/a.txt']) {
        const answer = await owner.does(`GET /api/v1/files/download?path=${path}`);
        expect(answer).toMatchObject({ status: 403, body: { code: 'symlink' } });
      }
    },
  },
];

const METADATA: readonly Scenario[] = [
  {
    name: 'store.metadata tells all there is to know of a file',
    given: ['store/in/a.csv: 1,2'],
    call: 'GET /api/v1/files/metadata?path=/in/a.csv',
    status: 200,
    golden: 'metadata',
  },
  {
    name: 'store.metadata of nothing is 404',
    call: 'GET /api/v1/files/metadata?path=no',
    status: 404,
    code: 'not_found',
  },
  {
    name: 'store.metadata without a path is 400',
    call: 'GET /api/v1/files/metadata',
    status: 400,
    code: 'invalid_request',
  },
  {
    name: 'store.setMetadata sets tags, metadata, permissions and time, and leaves the bytes alone',
    given: ['store/a.csv: 1,2'],
    call: 'PATCH /api/v1/files/metadata?path=a.csv',
    json: {
      permissions: '0600',
      tags: ['raw', 'raw', '2026'],
      metadata: { ownerTeam: 'sales', nested: { camelCase: 1 } },
      modified_at: '2020-02-03T04:05:06.000Z',
    },
    status: 200,
    body: expect.objectContaining({
      path: 'a.csv',
      permissions: '0600',
      tags: ['raw', '2026'],
      metadata: { ownerTeam: 'sales', nested: { camelCase: 1 } },
      modified_at: '2020-02-03T04:05:06.000Z',
    }),
    leaves: { store: ['a.csv: 1,2'] },
  },
  {
    name: 'store.setMetadata of nothing is 404',
    call: 'PATCH /api/v1/files/metadata?path=no',
    json: { tags: ['x'] },
    status: 404,
    code: 'not_found',
  },
  {
    name: 'store.setMetadata refuses what is no metadata, and changes nothing then',
    given: ['store/a: 1'],
    call: 'PATCH /api/v1/files/metadata?path=a',
    json: { tags: ['kept?'], permissions: 'rwx' },
    status: 400,
    code: 'invalid_request',
    after: async ({ owner }) => {
      const refused = [
        { metadata: [] },
        { metadata: { big: 'x'.repeat(70_000) } },
        { tags: 'x' },
        { tags: [''] },
        { modified_at: 'yesterday' },
        { metadata: JSON.parse('{"__proto__":{"admin":true}}') },
        { owner: 'root' },
        { group: -1 },
        { owner: 2 ** 32 - 1 },
      ];
      for (const json of refused) {
        expect((await owner.does('PATCH /api/v1/files/metadata?path=a', { json })).status).toBe(400);
      }
      const { body } = await owner.does('GET /api/v1/files/metadata?path=a');
      expect(body).toMatchObject({ tags: [], metadata: {}, permissions: '0644' });
    },
  },
];

const LARGE = createHash('sha512').update('seed').digest().toString('hex').repeat(20_000);

const STREAMS: readonly Scenario[] = [
  {
    name: 'store.download of two megabytes is byte-exact',
    before: async ({ owner }) => {
      await owner.stores('large.bin', LARGE);
      return undefined;
    },
    call: 'GET /api/v1/files/download?path=large.bin',
    status: 200,
    text: LARGE,
  },
];

playScenarios('reading the store', import.meta.url, [...LIST, ...DOWNLOAD, ...METADATA, ...STREAMS]);
