import { lstat, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type EventBody, lineOf } from '../../support/events.ts';
import { linesOf, playScenarios, type Scenario, type World } from '../../support/scenario.ts';

const ARCHIVES = '/agent/a1/filesystem/archives';
const EXTRACT = `${ARCHIVES}/extract`;

/** Packs `paths` into x.tar, outside of what is charged later. */
const packed =
  (...paths: readonly string[]) =>
  async ({ owner, as, tenant }: World) => {
    const answer = await owner.does(`POST ${ARCHIVES}`, { json: { paths, output_path: 'x.tar' } });
    expect(answer.status).toBe(201);
    // Links are put beside the daemon's back.
    await as({ scope: 'admin' }).does(`POST /admin/tenants/${tenant}/rescan`);
    return undefined;
  };

const withoutArchive = async ({ disk }: World, below = '') =>
  (await linesOf(join(disk('a1'), below))).filter((line) => !line.startsWith('x.tar'));

async function usageOf({ as, tenant }: World): Promise<unknown> {
  return ((await as({ scope: 'admin' }).does(`GET /admin/tenants/${tenant}`)).body as { usage: unknown }).usage;
}

async function drift({ as, tenant }: World): Promise<unknown> {
  const answer = await as({ scope: 'admin' }).does(`POST /admin/tenants/${tenant}/rescan?dry_run=true`);
  return (answer.body as { drift: unknown }).drift;
}

/** What the feed tells of a call. */
async function toldOf({ owner }: World, call: () => Promise<unknown>): Promise<readonly string[]> {
  const feed = 'GET /agent/a1/filesystem/changes';
  const { next } = (await owner.does(feed)).body as { next: string };
  await call();
  const { changes } = (await owner.does(`${feed}?since=${next}`)).body as { changes: EventBody[] };
  // What lies below a directory that appeared may be told once more, as it is seen on the disk.
  return changes
    .filter(({ origin }) => origin === 'api')
    .map(lineOf)
    .sort();
}

const NO_DRIFT = { bytes: 0, files: 0 };

const EXTRACTING: readonly Scenario[] = [
  {
    name: 'filesystem.extract makes the destination and its parents, and the ledger is true',
    given: ['a1/in/a.csv: 1,2', 'a1/in/empty/', 'a1/in/link => a.csv'],
    before: packed('in'),
    call: `POST ${EXTRACT}`,
    json: { archivePath: '/x.tar', destination: '/deep/er/out' },
    status: 200,
    golden: 'extracted',
    after: async (world) => {
      expect(await withoutArchive(world, 'deep/er/out')).toEqual([
        'in/',
        'in/a.csv: 1,2',
        'in/empty/',
        'in/link => a.csv',
      ]);
      expect(await drift(world)).toEqual(NO_DRIFT);
      expect((await lstat(join(world.disk('a1'), 'deep/er/out'))).mode & 0o7777).toBe(0o755);
    },
  },
  {
    name: 'filesystem.extract merges into a directory that exists, the root too, and counts what it adds',
    given: ['a1/in/a.csv: 1,2', 'a1/in/sub/b: b', 'a1/in/new/c: c'],
    before: async (world) => {
      await packed('in')(world);
      await world.owner.does('DELETE /agent/a1/filesystem/directories/in/new');
      await world.owner.does('DELETE /agent/a1/filesystem/files/in/a.csv');
      await world.owner.does('DELETE /agent/a1/filesystem/files/in/sub/b');
      await world.owner.writes('a1', 'in/sub/mine', 'mine');
      return undefined;
    },
    call: `POST ${EXTRACT}`,
    json: { archive_path: 'x.tar', destination: '/' },
    status: 200,
    body: { destination: '/', files_extracted: 3, bytes: 5 },
    after: async (world) => {
      expect(await withoutArchive(world)).toEqual([
        ...['in/', 'in/a.csv: 1,2', 'in/new/', 'in/new/c: c', 'in/sub/', 'in/sub/b: b', 'in/sub/mine: mine'],
      ]);
      expect(await drift(world)).toEqual(NO_DRIFT);
    },
  },
  {
    name: 'filesystem.extract and filesystem.archive tell the feed what appeared and what changed',
    given: ['a1/in/a.csv: 1,2', 'a1/in/sub/b: b'],
    before: packed('in'),
    call: `POST ${EXTRACT}`,
    json: { archive_path: 'x.tar', destination: '/whole' },
    status: 200,
    after: async (world) => {
      const does = (call: string, json: object) => toldOf(world, () => world.owner.does(`POST ${call}`, { json }));
      expect(await does(EXTRACT, { archive_path: 'x.tar', destination: 'deep/out' })).toEqual([
        ...['created /deep/', 'created /deep/out/'],
      ]);
      await world.owner.does('DELETE /agent/a1/filesystem/directories/in/sub');
      expect(await does(EXTRACT, { archive_path: 'x.tar', destination: '/', overwrite: true })).toEqual([
        ...['created /in/sub/', 'modified /in/a.csv'],
      ]);
      expect(await does(ARCHIVES, { paths: ['in'], output_path: 'x.tar' })).toEqual(['modified /x.tar']);
    },
  },
  {
    name: 'filesystem.extract over a file that exists is 409 unless overwrite, and then nothing is extracted',
    given: ['a1/in/a.csv: 1,2', 'a1/in/b.csv: 3,4'],
    before: async (world) => {
      await packed('in')(world);
      await world.owner.writes('a1', 'in/b.csv', 'changed');
      await world.owner.does('DELETE /agent/a1/filesystem/files/in/a.csv');
      return undefined;
    },
    call: `POST ${EXTRACT}`,
    json: { archive_path: 'x.tar', destination: '' },
    status: 409,
    code: 'exists',
    after: async (world, answer) => {
      expect(answer.body).toMatchObject({ path: 'in/b.csv' });
      expect(await withoutArchive(world)).toEqual(['in/', 'in/b.csv: changed']);
      const json = { archive_path: 'x.tar', destination: '', overwrite: true };
      expect((await world.owner.does(`POST ${EXTRACT}`, { json })).status).toBe(200);
      expect(await withoutArchive(world)).toEqual(['in/', 'in/a.csv: 1,2', 'in/b.csv: 3,4']);
      expect(await drift(world)).toEqual(NO_DRIFT);
    },
  },
  {
    name: 'filesystem.extract replaces no directory by a file, and no file by a directory, with overwrite neither',
    given: ['a1/in/a: file', 'a1/in/d/x: x'],
    before: async (world) => {
      await packed('in')(world);
      await world.owner.does('DELETE /agent/a1/filesystem/files/in/a');
      await world.owner.does('POST /agent/a1/filesystem/directories/in/a');
      return undefined;
    },
    call: `POST ${EXTRACT}`,
    json: { archive_path: 'x.tar', destination: '/', overwrite: true },
    status: 409,
    code: 'exists',
    after: async (world) => {
      await world.owner.does('DELETE /agent/a1/filesystem/directories/in');
      await world.owner.writes('a1', 'in/d', 'a file');
      const json = { archive_path: 'x.tar', destination: '/', overwrite: true };
      expect((await world.owner.does(`POST ${EXTRACT}`, { json })).status).toBe(409);
      expect((await world.owner.does(`POST ${EXTRACT}`, { json: { ...json, destination: 'in/d' } })).status).toBe(409);
      expect(await withoutArchive(world)).toEqual(['in/', 'in/d: a file']);
      expect(await drift(world)).toEqual(NO_DRIFT);
    },
  },
  {
    name: 'filesystem.extract goes through no link, and replaces none but by a file',
    given: ['a1/in/d/x: x', 'a1/real/'],
    before: async (world) => {
      await packed('in')(world);
      await world.owner.does('DELETE /agent/a1/filesystem/directories/in');
      return undefined;
    },
    call: `POST ${EXTRACT}`,
    json: { archive_path: 'x.tar', destination: 'real' },
    status: 200,
    after: async (world) => {
      await symlink('real', join(world.disk('a1'), 'link'));
      const to = (destination: string) => ({ json: { archive_path: 'x.tar', destination, overwrite: true } });
      expect((await world.owner.does(`POST ${EXTRACT}`, to('link'))).status).toBe(409);
      expect((await world.owner.does(`POST ${EXTRACT}`, to('link/in'))).status).toBe(403);
      await rm(join(world.disk('a1'), 'link'));
      expect(await withoutArchive(world)).toEqual(['real/', 'real/in/', 'real/in/d/', 'real/in/d/x: x']);
    },
  },
  {
    name: 'filesystem.extract of a directory that holds the archive is fine, over the archive itself it is 409',
    given: ['a1/x.tar: inner', 'a1/y: y'],
    before: async (world) => {
      const json = { paths: ['x.tar', 'y'], output_path: 'd/x.tar' };
      expect((await world.owner.does(`POST ${ARCHIVES}`, { json })).status).toBe(201);
      return undefined;
    },
    call: `POST ${EXTRACT}`,
    json: { archive_path: 'd/x.tar', destination: 'd', overwrite: true },
    status: 409,
    code: 'conflict',
    after: async (world) => {
      await world.owner.does('POST /agent/a1/filesystem/operations/move', {
        json: { source: 'd/x.tar', destination: 'd/z.tar' },
      });
      const json = { archive_path: 'd/z.tar', destination: 'd' };
      expect((await world.owner.does(`POST ${EXTRACT}`, { json })).status).toBe(200);
      expect(await world.owner.reads('a1', 'd/x.tar')).toBe('inner');
    },
  },
  {
    name: 'filesystem.extract over the quota is 507, with nothing left on the disk or in the ledger',
    given: [`a1/in/a: ${'a'.repeat(100_000)}`, 'a1/in/b: b', 'a1/in/c: c'],
    before: async (world) => {
      await packed('in')(world);
      await world.owner.does('DELETE /agent/a1/filesystem/directories/in');
      await world.as({ scope: 'admin' }).does(`PUT /admin/tenants/${world.tenant}`, { json: { quota_bytes: 150_000 } });
      return undefined;
    },
    call: `POST ${EXTRACT}`,
    json: { archive_path: 'x.tar', destination: 'out' },
    status: 507,
    code: 'quota_exceeded',
    after: async (world) => {
      const before = await usageOf(world);
      const limits = { quota_bytes: 0, quota_files: 3 };
      await world.as({ scope: 'admin' }).does(`PUT /admin/tenants/${world.tenant}`, { json: limits });
      const answer = await world.owner.does(`POST ${EXTRACT}`, { json: { archive_path: 'x.tar', destination: 'out' } });
      expect([answer.status, answer.body]).toEqual([507, expect.objectContaining({ unit: 'files' })]);
      expect(await linesOf(join(world.disk('a1'), '../staging'))).toEqual([]);
      expect(await withoutArchive(world)).toEqual([]);
      expect(await usageOf(world)).toEqual(before);
      expect(await drift(world)).toEqual(NO_DRIFT);
    },
  },
  {
    name: 'filesystem.extract of what is no archive is 400, whatever its name is',
    given: ['a1/x.zip: not a zip', 'a1/empty.zip: '],
    call: `POST ${EXTRACT}`,
    json: { archive_path: 'x.zip', destination: 'out' },
    status: 400,
    code: 'invalid_request',
    leaves: { a1: ['empty.zip: ', 'x.zip: not a zip'] },
    after: async ({ owner }) => {
      for (const [status, json] of [
        [400, { archive_path: 'empty.zip', destination: 'out' }],
        [400, { archive_path: '/', destination: 'out' }],
        [400, { archive_path: 'x.zip' }],
        [400, { archive_path: 'x.zip', destination: 'a', output_path: 'b' }],
        [400, { archive_path: 'x.zip', destination: '../out' }],
        [400, { archive_path: 'x.zip', destination: 'a\\b' }],
        [400, { destination: 'out' }],
        [404, { archive_path: 'no.zip', destination: 'out' }],
      ] as const) {
        expect([json, (await owner.does(`POST ${EXTRACT}`, { json })).status]).toEqual([json, status]);
      }
      const elsewhere = { json: { archive_path: 'x.zip', destination: 'out' } };
      expect((await owner.does('POST /agent/never-was/filesystem/archives/extract', elsewhere)).status).toBe(404);
    },
  },
];

playScenarios('filesystem: extracting', import.meta.url, EXTRACTING);
