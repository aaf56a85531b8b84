import { writeFile } from 'node:fs/promises';
import { type Before, linesOf, playScenarios, type Scenario } from '../../support/scenario.ts';

const COPY = '/agent/a1/filesystem/operations/copy';
const MOVE = '/agent/a1/filesystem/operations/move';
const META = '/agent/a1/filesystem/metadata';

const tagged: Before = async ({ owner }) => {
  await owner.does(`PATCH ${META}/x.txt`, {
    json: { tags: ['t'], metadata: { k: 1 }, permissions: '0640', modified_at: '2020-01-01T00:00:00.000Z' },
  });
  return undefined;
};

/** What holds of both verbs; `keeps` is whether the source stays. */
function shared(verb: 'copy' | 'move', call: string, keeps: boolean): readonly Scenario[] {
  const after = (...lines: string[]) => lines.filter((line) => keeps || !line.startsWith('src'));
  return [
    {
      name: `filesystem.${verb} takes a single pair, makes parents and carries mode, time and metadata along`,
      given: ['a1/x.txt: hello'],
      before: tagged,
      call: `POST ${call}`,
      json: { source: '/x.txt', destination: 'to/y.txt' },
      status: 200,
      golden: verb,
      after: async ({ owner, disk }) => {
        expect(await linesOf(disk('a1'))).toEqual(['to/', 'to/y.txt: hello', ...(keeps ? ['x.txt: hello'] : [])]);
        const { body } = await owner.does(`GET ${META}/to/y.txt`);
        const kept = { tags: ['t'], metadata: { k: 1 }, permissions: '0640', modified_at: '2020-01-01T00:00:00.000Z' };
        expect(body).toMatchObject(kept);
      },
    },
    {
      name: `filesystem.${verb} takes a whole directory, links in it as links`,
      given: ['a1/src/a/b.txt: b', 'a1/src/link => a/b.txt'],
      call: `POST ${call}`,
      json: { source: 'src/', destination: 'dst' },
      status: 200,
      leaves: {
        a1: after('src/', 'src/a/', 'src/a/b.txt: b', 'src/link => a/b.txt').concat([
          'dst/',
          'dst/a/',
          'dst/a/b.txt: b',
          'dst/link => a/b.txt',
        ]),
      },
    },
    {
      name: `filesystem.${verb} of a missing source is 404 for a single pair`,
      given: ['a1/x.txt: x'],
      call: `POST ${call}`,
      json: { source: 'no.txt', destination: 'y.txt' },
      status: 404,
      code: 'not_found',
      after: async ({ owner }) => {
        const elsewhere = call.replace('a1', 'never-was');
        const answer = await owner.does(`POST ${elsewhere}`, { json: { source: 'x', destination: 'y' } });
        expect(answer.status).toBe(404);
      },
    },
    {
      name: `filesystem.${verb} onto what exists is 409 unless overwrite, and never replaces a directory`,
      given: ['a1/src.txt: new', 'a1/y.txt: old', 'a1/dir/'],
      call: `POST ${call}`,
      json: { source: 'src.txt', destination: 'y.txt' },
      status: 409,
      code: 'exists',
      after: async ({ owner, disk }) => {
        const onto = (destination: string) => ({ json: { source: 'src.txt', destination, overwrite: true } });
        expect((await owner.does(`POST ${call}`, onto('dir'))).status).toBeGreaterThanOrEqual(400);
        expect((await owner.does(`POST ${call}`, onto('y.txt'))).status).toBe(200);
        expect(await linesOf(disk('a1'))).toEqual(after('dir/', 'src.txt: new', 'y.txt: new').sort());
      },
    },
    {
      name: `filesystem.${verb} of a directory onto or into itself, or of what is no path, is 400`,
      given: ['a1/d/x.txt: x'],
      call: `POST ${call}`,
      json: { source: 'd', destination: 'd/deeper/e' },
      status: 400,
      code: 'invalid_request',
      leaves: { a1: ['d/', 'd/x.txt: x'] },
      after: async ({ owner }) => {
        for (const json of [
          { source: 'd', destination: 'd' },
          { source: '/', destination: 'e' },
          { source: 'd/x.txt', destination: '../y' },
          { source: 'd/x.txt', destination: 'a\\b' },
          { source: 'd/x.txt', destination: '/' },
          { destination: 'y' },
          { source: 'd/x.txt' },
          { source: 'd', source_b64: 'ZA==', destination: 'e' },
          { operations: [] },
        ]) {
          expect((await owner.does(`POST ${call}`, { json })).status).toBe(400);
        }
      },
    },
    {
      name: `filesystem.${verb} of several says of each what became of it`,
      given: ['a1/src1.txt: 1', 'a1/src2.txt: 2', 'a1/there.txt: t'],
      call: `POST ${call}`,
      json: {
        operations: [
          { source: 'src1.txt', destination: '/to/1.txt' },
          { source: 'no.txt', destination: 'x.txt' },
          { source: 'src2.txt', destination: 'there.txt' },
          { source: '../out', destination: 'x.txt' },
          { source: 'src2.txt', destination: 'there.txt', overwrite: true },
        ],
      },
      status: 200,
      golden: `${verb}-several`,
      leaves: { a1: after('src1.txt: 1', 'src2.txt: 2').concat(['there.txt: 2', 'to/', 'to/1.txt: 1']) },
    },
    {
      name: `filesystem.${verb} reaches a name that is not UTF-8 by source_b64, and acts on a link itself`,
      given: ['a1/x.txt: x', 'a1/src-link => x.txt'],
      before: async (world) => {
        await writeFile(Buffer.concat([Buffer.from(`${world.disk('a1')}/src`), Buffer.of(0xff)]), 'odd');
        return undefined;
      },
      call: `POST ${call}`,
      json: { source_b64: Buffer.from('src\xff', 'latin1').toString('base64'), destination: 'even.txt' },
      status: 200,
      after: async ({ owner, disk }) => {
        expect(await owner.reads('a1', 'even.txt')).toBe('odd');
        const json = { source: 'src-link', destination: 'other-link' };
        expect((await owner.does(`POST ${call}`, { json })).status).toBe(200);
        const lines = await linesOf(disk('a1'));
        expect(lines).toContain('other-link => x.txt');
        expect(lines.includes('src-link => x.txt')).toBe(keeps);
      },
    },
  ];
}

const QUOTA: readonly Scenario[] = [
  {
    name: 'filesystem.copy over the quota is 507, and nothing is copied',
    before: async ({ owner }) => {
      await owner.makesAgent('a1', { quota_bytes: 15 });
      await owner.writes('a1', 'x.txt', '0123456789');
      return undefined;
    },
    call: `POST ${COPY}`,
    json: { source: 'x.txt', destination: 'y.txt' },
    status: 507,
    code: 'quota_exceeded',
    body: expect.objectContaining({ used: 10, limit: 15, requested: 10 }),
    leaves: { a1: ['x.txt: 0123456789'] },
    after: async ({ owner }) => {
      const moved = await owner.does(`POST ${MOVE}`, { json: { source: 'x.txt', destination: 'y.txt' } });
      expect(moved.status).toBe(200);
    },
  },
];

const PARENTS: readonly Scenario[] = [
  {
    name: 'filesystem.move whose new parents would pass quota_files is 507, and nothing moves',
    before: async ({ owner }) => {
      await owner.makesAgent('a1', { quota_files: 2 });
      await owner.writes('a1', 'x.txt', 'x');
      return undefined;
    },
    call: `POST ${MOVE}`,
    json: { source: 'x.txt', destination: 'a/b/x.txt' },
    status: 507,
    code: 'quota_exceeded',
    body: expect.objectContaining({ used: 1, limit: 2, requested: 2, unit: 'files' }),
    leaves: { a1: ['x.txt: x'] },
    after: async ({ owner }) => {
      const json = { source: 'x.txt', destination: 'a/x.txt' };
      expect((await owner.does(`POST ${MOVE}`, { json })).status).toBe(200);
    },
  },
];

const METADATA: readonly Scenario[] = [
  {
    name: 'filesystem.metadata tells all there is to know of a file',
    given: ['a1/data/x.csv: 1,2'],
    call: `GET ${META}/data/x.csv`,
    status: 200,
    golden: 'metadata',
    after: async ({ owner }, { body }) => {
      const { etag } = body as { etag: string };
      const guarded = { raw: '3,4', headers: { 'if-match': etag } };
      expect((await owner.does('PUT /agent/a1/filesystem/files/data/x.csv', guarded)).status).toBe(200);
    },
  },
  {
    name: 'filesystem.metadata tells of directories, the root and links as of what they are',
    given: ['a1/data/', 'a1/link => data'],
    call: `GET ${META}/data/`,
    status: 200,
    body: expect.objectContaining({ path: '/data', type: 'directory', mime_type: 'inode/directory', size: 0 }),
    after: async ({ owner }) => {
      expect((await owner.does(`GET ${META}`)).body).toMatchObject({ path: '/', type: 'directory' });
      expect((await owner.does(`GET ${META}/link`)).body).toMatchObject({
        type: 'symlink',
        mime_type: 'inode/symlink',
      });
    },
  },
  {
    name: 'filesystem.metadata detects the type from the bytes, then the name',
    before: async ({ owner }) => {
      await owner.writes('a1', 'picture.txt', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'));
      await owner.writes('a1', 'main.ts', 'export {};');
      return undefined;
    },
    call: `GET ${META}/picture.txt`,
    status: 200,
    body: expect.objectContaining({ mime_type: 'image/png' }),
    after: async ({ owner }) => {
      expect((await owner.does(`GET ${META}/main.ts`)).body).toMatchObject({
        mime_type: expect.stringMatching(/^text\//),
      });
    },
  },
  {
    name: 'filesystem.metadata of nothing is 404',
    given: ['a1/x.txt: x'],
    call: `GET ${META}/no`,
    status: 404,
    code: 'not_found',
  },
  {
    name: 'filesystem.setMetadata sets what is given, keeps the rest, and dies with the file',
    given: ['a1/x.txt: x'],
    call: `PATCH ${META}/x.txt`,
    json: { tags: ['a', 'b'], metadata: { deep: { camelKey: [1, null] } }, permissions: '4750' },
    status: 200,
    golden: 'set-metadata',
    after: async ({ owner }) => {
      const { body } = await owner.does(`PATCH ${META}/x.txt`, {
        json: { tags: [], modifiedAt: '2020-01-01T00:00:00Z' },
      });
      expect(body).toMatchObject({
        tags: [],
        metadata: { deep: { camelKey: [1, null] } },
        modified_at: '2020-01-01T00:00:00.000Z',
      });
      await owner.does('DELETE /agent/a1/filesystem/files/x.txt');
      await owner.writes('a1', 'x.txt', 'another');
      expect((await owner.does(`GET ${META}/x.txt`)).body).toMatchObject({ tags: [], metadata: {} });
    },
  },
  {
    name: 'filesystem.setMetadata refuses what is none, owners, and modes of a link',
    given: ['a1/x.txt: x', 'a1/link => x.txt'],
    call: `PATCH ${META}/x.txt`,
    json: { permissions: '9' },
    status: 400,
    code: 'invalid_request',
    after: async ({ owner }) => {
      expect((await owner.does(`PATCH ${META}/x.txt`, { json: { owner: 'root' } })).status).toBe(400);
      expect((await owner.does(`PATCH ${META}/link`, { json: { owner: 0 } })).status).toBe(403);
      expect((await owner.does(`PATCH ${META}/link`, { json: { permissions: '0777' } })).status).toBe(403);
      expect((await owner.does(`PATCH ${META}/link`, { json: { tags: ['on the link itself'] } })).status).toBe(200);
    },
  },
  {
    name: 'filesystem.setMetadata of nothing is 404',
    given: ['a1/x.txt: x'],
    call: `PATCH ${META}/no`,
    json: { tags: ['x'] },
    status: 404,
    code: 'not_found',
  },
];

playScenarios('copy, move and metadata of a workspace', import.meta.url, [
  ...shared('copy', COPY, true),
  ...shared('move', MOVE, false),
  ...QUOTA,
  ...PARENTS,
  ...METADATA,
]);
