import { chmod, lstat, mkdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { linesOf, playScenarios, type Scenario, type World } from '../../support/scenario.ts';

const ARCHIVES = '/agent/a1/filesystem/archives';
const EXTRACT = `${ARCHIVES}/extract`;
const FORMATS = ['zip', 'tar', 'tar.gz', 'tar.zst'];

const limitedTo = (quota: object) => async (world: World) => {
  await world.as({ scope: 'admin' }).does(`PUT /admin/tenants/${world.tenant}`, { json: quota });
  return undefined;
};

async function packs(world: World, json: object): Promise<void> {
  const answer = await world.owner.does(`POST ${ARCHIVES}`, { json });
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
}

/** A tree with everything that archives carry. */
async function plant({ owner, disk }: World): Promise<void> {
  await owner.makesAgent('a1');
  const at = (path: string) => join(disk('a1'), path);
  await mkdir(at('in/empty'), { recursive: true });
  await mkdir(at('in/ünïcode 名前'), { recursive: true });
  await writeFile(at('in/script.sh'), '#!/bin/sh\n');
  await writeFile(at('in/ünïcode 名前/📄 “quoted”.txt'), 'text');
  await writeFile(Buffer.concat([Buffer.from(`${at('in')}/`), Buffer.from([0x6c, 0xe4])]), 'latin1');
  await writeFile(at('in/large.bin'), Buffer.alloc(700_000, 'large'));
  await writeFile(at('in/none'), '');
  await symlink('../in/script.sh', at('in/link'));
  await symlink('nowhere', at('in/dangling'));
  await chmod(at('in/script.sh'), 0o750);
  await chmod(at('in/empty'), 0o555);
  for (const path of ['in/script.sh', 'in/large.bin', 'in/empty', 'in/ünïcode 名前']) {
    await utimes(at(path), 1_500_000_000, 1_500_000_000);
  }
}

/** Everything that has to survive a round trip. */
async function pictureOf({ disk }: World, tree: string): Promise<unknown> {
  const facts = ['script.sh', 'large.bin', 'empty', 'ünïcode 名前'].map(async (path) => {
    const { mode, mtimeMs } = await lstat(join(disk('a1'), tree, path));
    return [path, (mode & 0o7777).toString(8), Math.floor(mtimeMs / 1000)];
  });
  return { lines: await linesOf(join(disk('a1'), tree)), facts: await Promise.all(facts) };
}

const PACKING: readonly Scenario[] = [
  {
    name: 'filesystem.archive packs files and directories into the tree',
    given: ['a1/data/in/a.csv: 1,2', 'a1/data/in/empty/', 'a1/data/b.txt: b'],
    call: `POST ${ARCHIVES}`,
    json: { paths: ['/data/in', 'data/b.txt', '/data/in/a.csv'], outputPath: '/out/data.tar' },
    status: 201,
    golden: 'archived',
    after: async (world) => {
      await world.owner.does(`POST ${EXTRACT}`, { json: { archivePath: 'out/data.tar', destination: 'again' } });
      expect(await linesOf(join(world.disk('a1'), 'again'))).toEqual([
        ...['b.txt: b', 'in/', 'in/a.csv: 1,2', 'in/empty/'],
      ]);
    },
  },
  {
    name: 'filesystem.archive without output_path streams the archive, and nothing is written',
    given: ['a1/in/a.csv: 1,2'],
    call: `POST ${ARCHIVES}`,
    json: { paths: ['in'] },
    as: { scope: 'workspace:read' },
    status: 200,
    answers: {
      'content-type': 'application/zip',
      'content-disposition': 'attachment; filename=in.zip',
      'transfer-encoding': 'chunked',
      'x-content-type-options': 'nosniff',
    },
    leaves: { a1: ['in/', 'in/a.csv: 1,2'] },
    after: async (world, { bytes, headers }) => {
      expect(headers['content-length']).toBeUndefined();
      await world.owner.writes('a1', 'again.zip', bytes);
      await world.owner.does(`POST ${EXTRACT}`, { json: { archive_path: 'again.zip', destination: '/out/' } });
      expect(await linesOf(join(world.disk('a1'), 'out'))).toEqual(['in/', 'in/a.csv: 1,2']);
    },
  },
  {
    name: 'filesystem.archive of the root takes all that is in it, but never the archive it makes',
    given: ['a1/a.txt: a', 'a1/b/c.txt: c'],
    before: async (world) => {
      await packs(world, { paths: ['/'], output_path: 'b/all.tgz', compression_level: 9 });
      return undefined;
    },
    call: `POST ${ARCHIVES}`,
    json: { paths: ['/', 'a.txt'], output_path: 'b/all.tgz' },
    status: 201,
    body: { path: '/b/all.tgz', size: expect.any(Number), format: 'tar.gz', created_at: expect.any(String) },
    after: async (world) => {
      await world.owner.does(`POST ${EXTRACT}`, { json: { archive_path: 'b/all.tgz', destination: 'out' } });
      expect(await linesOf(join(world.disk('a1'), 'out'))).toEqual(['a.txt: a', 'b/', 'b/c.txt: c']);
      const self = await world.owner.does(`POST ${ARCHIVES}`, {
        json: { paths: ['b/all.tgz', 'a.txt'], output_path: '/b/all.tgz' },
      });
      expect([self.status, self.text]).toEqual([400, expect.stringContaining('b/all.tgz')]);
    },
  },
  {
    name: 'filesystem.archive takes the format that is asked for, whatever the name says',
    given: ['a1/a.txt: a'],
    call: `POST ${ARCHIVES}`,
    json: { paths: ['a.txt'], output_path: 'a.zip', format: 'tar.gz', compression_level: 0 },
    status: 201,
    after: async ({ disk, owner }) => {
      expect((await readFile(join(disk('a1'), 'a.zip'))).subarray(0, 2).toString('hex')).toBe('1f8b');
      const unnamed = await owner.does(`POST ${ARCHIVES}`, { json: { paths: ['a.txt'], output_path: 'archive' } });
      expect(unnamed.body).toMatchObject({ format: 'zip' });
    },
  },
  {
    name: 'filesystem.archive of what is missing is 404, before anything is sent or written',
    given: ['a1/a.txt: a'],
    call: `POST ${ARCHIVES}`,
    json: { paths: ['a.txt', 'no.txt'] },
    status: 404,
    code: 'not_found',
    leaves: { a1: ['a.txt: a'] },
    after: async ({ owner }) => {
      const elsewhere = await owner.does('POST /agent/never-was/filesystem/archives', { json: { paths: ['/'] } });
      expect(elsewhere.status).toBe(404);
    },
  },
  {
    name: 'filesystem.archive of what it cannot be asked is 400',
    given: ['a1/a.txt: a', 'a1/dir/'],
    call: `POST ${ARCHIVES}`,
    json: { paths: [] },
    status: 400,
    code: 'invalid_request',
    after: async ({ owner }) => {
      for (const json of [
        {},
        { paths: 'a.txt' },
        { paths: ['../a.txt'] },
        { paths: ['a.txt'], format: 'rar' },
        { paths: ['a.txt'], compression_level: 10 },
        { paths: ['a.txt'], compression_level: 1.5 },
        { paths: ['a.txt'], output_path: '../out.zip' },
        { paths: ['a.txt'], output_path: 'a\\b.zip' },
        { paths: ['a.txt'], output_path: 'out.zip/' },
        { paths: ['a.txt'], output_path: '/' },
        { paths: ['a.txt'], output_path: 'dir' },
        { paths: Array.from({ length: 1001 }, () => 'a.txt') },
      ]) {
        expect([json, (await owner.does(`POST ${ARCHIVES}`, { json })).status]).toEqual([json, 400]);
      }
    },
  },
  {
    name: 'filesystem.archive packs a link as a link, and goes through none',
    given: ['a1/real/a.txt: a', 'a1/d/link => ../real/a.txt', 'a1/d/dir => ../real'],
    call: `POST ${ARCHIVES}`,
    json: { paths: ['d/link', 'real'], output_path: 'x.tar' },
    status: 201,
    after: async ({ owner, disk }) => {
      await owner.does(`POST ${EXTRACT}`, { json: { archive_path: 'x.tar', destination: 'out' } });
      const lines = ['d/', 'd/link => ../real/a.txt', 'real/', 'real/a.txt: a'];
      expect(await linesOf(join(disk('a1'), 'out'))).toEqual(lines);
      const through = await owner.does(`POST ${ARCHIVES}`, { json: { paths: ['d/dir/a.txt'] } });
      expect([through.status, through.body]).toEqual([403, expect.objectContaining({ code: 'symlink' })]);
    },
  },
  {
    name: 'filesystem.archive holds to If-None-Match and to the quota, and then leaves what was there',
    given: ['a1/a.bin: 0123456789', 'a1/x.zip: old'],
    call: `POST ${ARCHIVES}`,
    json: { paths: ['a.bin'], output_path: 'x.zip' },
    headers: { 'if-none-match': '*' },
    status: 412,
    code: 'precondition_failed',
    after: async (world) => {
      await limitedTo({ quota_bytes: 20 })(world);
      const full = await world.owner.does(`POST ${ARCHIVES}`, { json: { paths: ['a.bin'], output_path: 'x.zip' } });
      expect([full.status, full.body]).toEqual([507, expect.objectContaining({ code: 'quota_exceeded' })]);
      expect(await linesOf(world.disk('a1'))).toEqual(['a.bin: 0123456789', 'x.zip: old']);
    },
  },
  {
    name: 'filesystem.archive into the tree takes the right to write',
    given: ['a1/a.txt: a'],
    as: { scope: 'workspace:read' },
    call: `POST ${ARCHIVES}`,
    json: { paths: ['a.txt'], output_path: 'x.zip' },
    status: 403,
    leaves: { a1: ['a.txt: a'] },
  },
];

const ROUND_TRIPS: readonly Scenario[] = FORMATS.map((format) => ({
  name: `filesystem.extract gives back all that filesystem.archive packed as ${format}: names, modes, times, links, empty directories`,
  before: async (world) => {
    await plant(world);
    await packs(world, { paths: ['in'], output_path: 'packed', format });
    return undefined;
  },
  call: `POST ${EXTRACT}`,
  json: { archive_path: 'packed', output_path: 'deep/er/out' },
  status: 200,
  body: { destination: '/deep/er/out', files_extracted: 7, bytes: 700_020 },
  after: async (world) => {
    expect(await pictureOf(world, 'deep/er/out/in')).toEqual(await pictureOf(world, 'in'));
  },
}));

playScenarios('filesystem: packing', import.meta.url, PACKING);
playScenarios('filesystem: archives there and back', import.meta.url, ROUND_TRIPS);
