import { playScenarios, type Scenario, type World } from '../../support/scenario.ts';

const COPY = 'POST /api/v1/files/copy';
const TAGGED = { tags: ['t'], metadata: { k: 1 }, permissions: '0640', modified_at: '2020-01-01T00:00:00.000Z' };

const metadataOf = async ({ owner }: World, path: string) =>
  (await owner.does(`GET /api/v1/files/metadata?path=${path}`)).body;

const tag = (path: string) => async (world: World) => {
  await world.owner.does(`PATCH /api/v1/files/metadata?path=${path}`, { json: TAGGED });
  return undefined;
};

const COPIES: readonly Scenario[] = [
  {
    name: 'store.copy takes a single pair, makes parents and takes mode, time and metadata along',
    given: ['store/a.txt: hello'],
    before: tag('a.txt'),
    call: COPY,
    json: { source: '/a.txt', destination: 'to/b.txt' },
    status: 200,
    golden: 'copied',
    leaves: { store: ['a.txt: hello', 'to/', 'to/b.txt: hello'] },
    after: async (world) => {
      expect(await metadataOf(world, 'to/b.txt')).toMatchObject(TAGGED);
      expect(await metadataOf(world, 'a.txt')).toMatchObject(TAGGED);
    },
  },
  {
    name: 'store.copy takes a whole directory with what is said of all in it, links in it as links',
    given: ['store/in/sub/a.txt: a', 'store/in/empty/', 'store/in/link => sub/a.txt'],
    before: tag('in/sub/a.txt'),
    call: COPY,
    json: { source: 'in/', destination: 'out' },
    status: 200,
    body: { results: [{ source: 'in', destination: 'out', success: true }] },
    leaves: {
      store: ['in', 'out'].flatMap((top) =>
        ['/', '/empty/', '/link => sub/a.txt', '/sub/', '/sub/a.txt: a'].map((line) => top + line),
      ),
    },
    after: async (world) => {
      expect(await metadataOf(world, 'out/sub/a.txt')).toMatchObject(TAGGED);
      await world.owner.does('DELETE /api/v1/files?path=out&recursive=true');
      expect(await metadataOf(world, 'in/sub/a.txt')).toMatchObject(TAGGED);
    },
  },
  {
    name: 'store.copy of a missing source is 404 for a single pair',
    call: COPY,
    json: { source: 'no.txt', destination: 'b.txt' },
    status: 404,
    code: 'not_found',
    leaves: { store: [] },
  },
  {
    name: 'store.copy onto what exists is 409 unless overwrite, and never replaces a directory',
    given: ['store/a.txt: new', 'store/b.txt: old', 'store/dir/'],
    call: COPY,
    json: { source: 'a.txt', destination: 'b.txt' },
    status: 409,
    code: 'exists',
    leaves: { store: ['a.txt: new', 'b.txt: old', 'dir/'] },
    after: async ({ owner }) => {
      const over = (source: string, destination: string) =>
        owner.does(COPY, { json: { source, destination, overwrite: true } });
      expect((await over('a.txt', 'dir')).status).toBe(409);
      expect((await over('dir', 'b.txt')).status).toBe(409);
      expect((await over('a.txt', 'b.txt')).status).toBe(200);
      expect((await owner.does('GET /api/v1/files/download?path=b.txt')).text).toBe('new');
    },
  },
  {
    name: 'store.copy onto or into itself, or of what is no path, is 400',
    given: ['store/d/x.txt: x'],
    call: COPY,
    json: { source: 'd', destination: 'd/deeper' },
    status: 400,
    code: 'invalid_request',
    leaves: { store: ['d/', 'd/x.txt: x'] },
    after: async ({ owner }) => {
      for (const [source, destination] of [
        ['d', 'd'],
        ['d/x.txt', 'd/x.txt'],
        ['/', 'e'],
        ['d/x.txt', '../y'],
        ['d/../d/x.txt', 'y'],
        ['d/x.txt', '/'],
        [undefined, 'y'],
      ]) {
        expect((await owner.does(COPY, { json: { source, destination } })).status).toBe(400);
      }
    },
  },
  {
    name: 'store.copy of several says of each what became of it',
    given: ['store/1.txt: 1', 'store/2.txt: 2', 'store/there.txt: t'],
    call: COPY,
    json: {
      operations: [
        { source: '1.txt', destination: '/to/1.txt' },
        { source: 'no.txt', destination: 'x.txt' },
        { source: '2.txt', destination: 'there.txt' },
        { source: '../out', destination: 'x.txt' },
        { source: '2.txt', destination: 'there.txt', overwrite: true },
      ],
    },
    status: 200,
    golden: 'copied-several',
    leaves: { store: ['1.txt: 1', '2.txt: 2', 'there.txt: 2', 'to/', 'to/1.txt: 1'] },
  },
  {
    name: 'store.copy over the quota is 507 with used, limit and requested, and nothing is copied',
    given: ['store/in/a.txt: 0123456789', 'store/in/b.txt: 0123456789'],
    before: async ({ as, tenant }) => {
      await as({ scope: 'admin' }).does(`PUT /admin/tenants/${tenant}`, { json: { quota_bytes: 35 } });
      return undefined;
    },
    call: COPY,
    json: { source: 'in', destination: 'out' },
    status: 507,
    code: 'quota_exceeded',
    body: expect.objectContaining({ used: 20, limit: 35, requested: 20 }),
    leaves: { store: ['in/', 'in/a.txt: 0123456789', 'in/b.txt: 0123456789'] },
    after: async ({ owner }) => {
      const json = { source: 'in/a.txt', destination: 'out/a.txt' };
      expect((await owner.does(COPY, { json })).status).toBe(200);
    },
  },
  {
    name: 'store.copy holds If-Match and If-None-Match against the destination: 412',
    given: ['store/a.txt: new', 'store/b.txt: old'],
    call: COPY,
    json: { source: 'a.txt', destination: 'b.txt', overwrite: true },
    headers: { 'if-none-match': '*' },
    status: 412,
    code: 'precondition_failed',
    leaves: { store: ['a.txt: new', 'b.txt: old'] },
  },
  {
    name: 'store.copy asks for store:write',
    as: { scope: 'store:read' },
    call: COPY,
    json: { source: 'a.txt', destination: 'b.txt' },
    status: 403,
    code: 'forbidden',
  },
];

playScenarios('copying in the store', import.meta.url, COPIES);
