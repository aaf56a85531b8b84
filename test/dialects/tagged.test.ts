import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Before, playScenarios, type Scenario, type World } from '../support/scenario.ts';

interface Tree {
  readonly name: 'store' | 'a1';
  readonly search: string;
  readonly call: 'store.search' | 'filesystem.search';
  /** As the dialect writes paths. */
  readonly shown: (path: string) => string;
  readonly metadata: (path: string) => string;
}

const STORE: Tree = {
  name: 'store',
  search: 'POST /api/v1/files/search',
  call: 'store.search',
  shown: (path) => path,
  metadata: (path) => `PATCH /api/v1/files/metadata?path=${path}`,
};
const WORKSPACE: Tree = {
  name: 'a1',
  search: 'POST /agent/a1/filesystem/operations/search',
  call: 'filesystem.search',
  shown: (path) => `/${path}`,
  metadata: (path) => `PATCH /agent/a1/filesystem/metadata/${path}`,
};

const GIVEN = ['in/a.txt: alpha', 'in/b.csv: beta', 'in/deep/c.txt: alpha beta', 'd.txt: alpha', '.gitignore: d.txt'];
const TAGS: Readonly<Record<string, readonly string[]>> = {
  'in/a.txt': ['report', '2026'],
  'in/b.csv': ['report'],
  'in/deep': ['report', 'folder'],
  'in/deep/c.txt': ['2026'],
  'd.txt': ['report', '2026'],
};

const tagging =
  ({ metadata }: Tree): Before =>
  async ({ owner }) => {
    for (const [path, tags] of Object.entries(TAGS)) {
      expect((await owner.does(metadata(path), { json: { tags } })).status).toBe(200);
    }
    return undefined;
  };

function scenariosOf(tree: Tree): readonly Scenario[] {
  const { call, search, shown, name } = tree;
  const given = GIVEN.map((line) => `${name}/${line}`);
  const found = async ({ owner }: World, json: object) => {
    const { status, body } = await owner.does(search, { json });
    expect(status).toBe(200);
    const { results } = body as { results: { path: string }[] };
    return results.map(({ path }) => path);
  };
  return [
    {
      name: `${call} with tags alone lists what has all of them, also what a .gitignore names`,
      given,
      before: tagging(tree),
      call: search,
      json: { tags: ['2026', 'report'] },
      status: 200,
      body: {
        results: [
          { path: shown('d.txt'), type: 'file', size: 5 },
          { path: shown('in/a.txt'), type: 'file', size: 5 },
        ],
        total: 2,
        truncated: false,
      },
      after: async (world) => {
        expect(await found(world, { tags: ['report'] })).toEqual(
          ['d.txt', 'in/a.txt', 'in/b.csv', 'in/deep'].map(shown),
        );
        expect(await found(world, { tags: ['report'], path: 'in' })).toHaveLength(3);
        expect(await found(world, { tags: ['report'], path: 'in/a.txt' })).toEqual([shown('in/a.txt')]);
        expect(await found(world, { tags: ['report'], file_pattern: '*.csv' })).toEqual([shown('in/b.csv')]);
        expect(await found(world, { tags: ['nobody said'] })).toEqual([]);
        const cut = await world.owner.does(search, { json: { tags: ['report'], max_results: 2 } });
        expect(cut.body).toMatchObject({ total: 2, truncated: true });
      },
    },
    {
      name: `${call} with tags and a query finds only among what has the tags`,
      given,
      before: tagging(tree),
      call: search,
      json: { tags: ['2026'], query: 'alpha', type: 'content' },
      status: 200,
      body: expect.objectContaining({
        results: ['d.txt', 'in/a.txt', 'in/deep/c.txt'].map((path) =>
          expect.objectContaining({ path: shown(path), matches: [expect.stringContaining('alpha')] }),
        ),
        truncated: false,
      }),
      after: async (world) => {
        expect(await found(world, { tags: ['report'], query: '*.txt' })).toEqual(['d.txt', 'in/a.txt'].map(shown));
        expect(await found(world, { tags: ['folder'], query: 'd*' })).toEqual([shown('in/deep')]);
        expect(await found(world, { tags: ['report'], query: 'beta', type: 'both' })).toEqual([shown('in/b.csv')]);
        expect(await found(world, { tags: ['report'], query: 'beta', type: 'content', path: 'in/deep' })).toEqual([]);
        expect(await found(world, { tags: ['report'], query: '^a.*a$', regex: true })).toHaveLength(2);
      },
    },
    {
      name: `${call} lists nothing by tag that a process has removed, nor anything behind a link`,
      given,
      before: tagging(tree),
      call: search,
      json: { tags: ['folder'] },
      status: 200,
      body: expect.objectContaining({ total: 1 }),
      after: async (world) => {
        const at = (path: string) => join(world.disk(name), path);
        await rm(at('in/a.txt'));
        await rm(at('in/deep'), { recursive: true });
        await symlink('..', at('in/deep'));
        expect(await found(world, { tags: ['2026'] })).toEqual([shown('d.txt')]);
        expect(await found(world, { tags: ['2026'], query: 'alpha', type: 'content' })).toEqual([shown('d.txt')]);
        // What was said stays with the path, and is said of what is there now.
        const { body } = await world.owner.does(search, { json: { tags: ['folder'] } });
        expect(body).toMatchObject({ results: [{ path: shown('in/deep'), type: 'symlink' }] });
      },
    },
    {
      name: `${call} refuses tags that are none with 400, and a directory there is not with 404`,
      given,
      call: search,
      json: { tags: [] },
      status: 400,
      code: 'invalid_request',
      after: async ({ owner }) => {
        for (const tags of ['report', [''], [1], Array.from({ length: 101 }, (_, n) => `t${n}`)]) {
          expect((await owner.does(search, { json: { tags } })).status).toBe(400);
        }
        expect((await owner.does(search, { json: {} })).status).toBe(400);
        expect((await owner.does(search, { json: { tags: ['x'], path: 'no' } })).status).toBe(404);
      },
    },
  ];
}

playScenarios('searching by tag', import.meta.url, [...scenariosOf(STORE), ...scenariosOf(WORKSPACE)]);
