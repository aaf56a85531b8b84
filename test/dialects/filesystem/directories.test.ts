import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { playScenarios, type Scenario } from '../../support/scenario.ts';

const DIRS = '/agent/a1/filesystem/directories';
const run = promisify(execFile);

interface ListBody {
  readonly entries: readonly { readonly path: string }[];
  readonly next_cursor?: string;
}
const pathsOf = (body: unknown) => (body as ListBody).entries.map(({ path }) => path);

const LIST: readonly Scenario[] = [
  {
    name: 'filesystem.list shows one level, sorted, links with their target',
    given: ['a1/data/b.txt: 12', 'a1/data/a/deep.txt: x', 'a1/data/link => b.txt'],
    call: `GET ${DIRS}/data`,
    status: 200,
    golden: 'list',
  },
  {
    name: 'filesystem.list takes the root, with and without a slash',
    given: ['a1/x.txt: x'],
    call: `GET ${DIRS}`,
    status: 200,
    body: { path: '/', entries: [expect.objectContaining({ path: '/x.txt', type: 'file', size: 1 })] },
    after: async ({ owner }) => {
      for (const path of [`${DIRS}/`, `/v1${DIRS}`]) {
        expect(pathsOf((await owner.does(`GET ${path}`)).body)).toEqual(['/x.txt']);
      }
    },
  },
  {
    name: 'filesystem.list with recursive=true descends, as far as depth says',
    given: ['a1/a/b/c/d.txt: x', 'a1/z.txt: z'],
    call: `GET ${DIRS}?recursive=true`,
    status: 200,
    after: async ({ owner }, { body }) => {
      expect(pathsOf(body)).toEqual(['/a', '/a/b', '/a/b/c', '/a/b/c/d.txt', '/z.txt']);
      const two = await owner.does(`GET ${DIRS}?recursive=true&depth=2`);
      expect(pathsOf(two.body)).toEqual(['/a', '/a/b', '/z.txt']);
      expect((await owner.does(`GET ${DIRS}?depth=0`)).status).toBe(400);
      expect((await owner.does(`GET ${DIRS}?depth=1e1`)).status).toBe(400);
    },
  },
  {
    name: 'filesystem.list leaves out hidden names and all below them with include_hidden=false',
    given: ['a1/.git/config: x', 'a1/a/.env: x', 'a1/a/b.txt: x', 'a1/c.txt: x'],
    call: `GET ${DIRS}?recursive=true&include_hidden=false`,
    status: 200,
    after: async ({ owner }, { body }) => {
      expect(pathsOf(body)).toEqual(['/a', '/a/b.txt', '/c.txt']);
      const all = await owner.does(`GET ${DIRS}?recursive=true`);
      expect(pathsOf(all.body)).toEqual(['/.git', '/.git/config', '/a', '/a/.env', '/a/b.txt', '/c.txt']);
    },
  },
  {
    name: 'filesystem.list pages: every entry once, next_cursor only while there is more',
    given: [...Array(7).keys()].map((n) => `a1/d/${n % 2 === 0 ? '.' : ''}f${n}.txt: ${n}`),
    call: `GET ${DIRS}/d?limit=3`,
    status: 200,
    after: async ({ owner }) => {
      for (const query of ['limit=3', 'limit=2&recursive=true', 'limit=1&include_hidden=false']) {
        const seen: string[] = [];
        let cursor = '';
        do {
          const body = (await owner.does(`GET ${DIRS}/d?${query}${cursor}`)).body as ListBody;
          seen.push(...pathsOf(body));
          cursor = body.next_cursor === undefined ? '' : `&cursor=${body.next_cursor}`;
        } while (cursor !== '');
        const all = [...Array(7).keys()].map((n) => `/d/${n % 2 === 0 ? '.' : ''}f${n}.txt`);
        const wanted = query.includes('hidden') ? all.filter((path) => !path.includes('/.')) : all;
        expect(seen).toEqual(wanted.sort());
      }
      const other = (await owner.does(`GET ${DIRS}/d?limit=1`)).body as ListBody;
      expect((await owner.does(`GET ${DIRS}/e?cursor=${other.next_cursor}`)).status).toBe(400);
    },
  },
  {
    name: 'filesystem.list of a file is 400',
    given: ['a1/x.txt: x'],
    call: `GET ${DIRS}/x.txt`,
    status: 400,
    code: 'not_directory',
  },
  {
    name: 'filesystem.list of a missing directory, or of a workspace that never was, is 404',
    given: ['a1/x.txt: x'],
    call: `GET ${DIRS}/no`,
    status: 404,
    code: 'not_found',
    after: async ({ owner }) => {
      expect((await owner.does('GET /agent/never-was/filesystem/directories')).status).toBe(404);
    },
  },
  {
    name: 'filesystem.list follows no link',
    given: ['a1/x.txt: x', 'a1/etc => /etc'],
    call: `GET ${DIRS}/etc`,
    status: 403,
    code: 'symlink',
  },
  {
    name: 'filesystem.list shows specials as other and names that are not UTF-8 with path_b64',
    given: ['a1/x/'],
    before: async (world) => {
      await run('mkfifo', [join(world.disk('a1'), 'x/pipe')]);
      await writeFile(Buffer.concat([Buffer.from(`${world.disk('a1')}/x/`), Buffer.of(0x61, 0xff)]), '');
      return undefined;
    },
    call: `GET ${DIRS}/x`,
    status: 200,
    body: {
      path: '/x',
      entries: [
        expect.objectContaining({
          path: '/x/a\ufffd',
          type: 'file',
          path_b64: Buffer.from('x/a\xff', 'latin1').toString('base64'),
        }),
        { name: 'pipe', path: '/x/pipe', type: 'other', modified_at: expect.any(String) },
      ],
    },
    after: async ({ owner }) => {
      const read = await owner.does('GET /agent/a1/filesystem/files/x/pipe');
      expect(read).toMatchObject({ status: 403, body: { code: 'special_file' } });
      expect((await owner.does('DELETE /agent/a1/filesystem/files/x/pipe')).status).toBe(200);
    },
  },
];

const MKDIR: readonly Scenario[] = [
  {
    name: 'filesystem.mkdir makes a directory and its parents: 201, and 200 when it exists',
    call: `POST ${DIRS}/in/deep`,
    status: 201,
    golden: 'mkdir',
    leaves: { a1: ['in/', 'in/deep/'] },
    after: async ({ owner }) => {
      for (const path of ['/in/deep', '/in', '/in/', '/', '']) {
        expect((await owner.does(`POST ${DIRS}${path}`)).status).toBe(200);
      }
    },
  },
  {
    name: 'filesystem.mkdir where a file is in the way is 409',
    given: ['a1/x.txt: x', 'a1/link => x.txt'],
    call: `POST ${DIRS}/x.txt`,
    status: 409,
    code: 'exists',
    after: async ({ owner }) => {
      for (const path of ['x.txt/below', 'link']) expect((await owner.does(`POST ${DIRS}/${path}`)).status).toBe(409);
      expect((await owner.does(`POST ${DIRS}/a%0Ab`)).status).toBe(400);
    },
  },
];

const REMOVE: readonly Scenario[] = [
  {
    name: 'filesystem.removeDirectory removes a directory with all that is in it, following no link',
    given: ['a1/d/e/f.txt: x', 'a1/keep.txt: k', 'a1/d/link => ../keep.txt'],
    call: `DELETE ${DIRS}/d`,
    status: 200,
    body: { path: '/d', deleted_at: expect.any(String) },
    leaves: { a1: ['keep.txt: k'] },
  },
  {
    name: 'filesystem.removeDirectory of the root empties the workspace, which stays',
    given: ['a1/d/e.txt: x', 'a1/f.txt: y'],
    call: `DELETE ${DIRS}`,
    status: 200,
    body: { path: '/', deleted_at: expect.any(String) },
    leaves: { a1: [] },
    after: async ({ owner }) => {
      expect((await owner.does(`GET ${DIRS}`)).body).toEqual({ path: '/', entries: [] });
      const { body } = await owner.does('GET /agent/a1');
      expect(body).toMatchObject({ usage: { bytes: 0, files: 0 } });
    },
  },
  {
    name: 'filesystem.removeDirectory of a missing one is 404, of a file or link 400',
    given: ['a1/x.txt: x', 'a1/d/', 'a1/link => d'],
    call: `DELETE ${DIRS}/no`,
    status: 404,
    code: 'not_found',
    after: async ({ owner }) => {
      for (const path of ['x.txt', 'link']) {
        const answer = await owner.does(`DELETE ${DIRS}/${path}`);
        expect(answer).toMatchObject({ status: 400, body: { code: 'not_directory' } });
      }
      expect((await owner.does('DELETE /agent/never-was/filesystem/directories')).status).toBe(404);
      const guarded = { headers: { 'if-match': '"another"' } };
      expect((await owner.does(`DELETE ${DIRS}/d`, guarded)).status).toBe(412);
    },
  },
];

playScenarios('directories of a workspace', import.meta.url, [...LIST, ...MKDIR, ...REMOVE]);
