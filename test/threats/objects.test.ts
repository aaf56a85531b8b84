import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import {
  appendFile,
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Actor } from '../support/actor.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { makeWorld, type World } from '../support/scenario.ts';
import { temporaryDirectory } from '../support/tree.ts';

/** What a process in the mount can put into a workspace, and what the API then makes of it. */
const FILES = '/agent/a1/filesystem/files';
const OPERATIONS = '/agent/a1/filesystem/operations';
const GIB = 1024 ** 3;

let daemon: TestDaemon;
let world: World;
let owner: Actor;
const at = (path: string) => join(world.disk('a1'), path);

beforeAll(async () => {
  daemon = await startTestDaemon();
});
afterAll(() => daemon.close());
beforeEach(async () => {
  world = makeWorld(daemon);
  owner = world.owner;
  await owner.makesAgent('a1');
});

async function plantSpecials(): Promise<AsyncDisposable> {
  await mkdir(at('odd'));
  await writeFile(at('odd/plain.txt'), 'plain');
  execFileSync('mkfifo', [at('odd/pipe')]);
  const names = ['pipe', 'socket'];
  // Only the superuser makes devices.
  if (process.getuid?.() === 0) names.push(execFileSync('mknod', [at('odd/zero'), 'c', '1', '5']) && 'zero');
  const server = createServer();
  // A socket's own path may have 107 bytes, so it is made elsewhere.
  using elsewhere = temporaryDirectory();
  await new Promise<void>((resolve) => server.listen(join(elsewhere.path, 's'), resolve));
  await rename(join(elsewhere.path, 's'), at('odd/socket'));
  return { [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

describe('pipes, sockets and devices', () => {
  it('are listed, and never opened by any call: 403 at once', async () => {
    await using _ = await plantSpecials();
    const names = (await readdir(at('odd'))).filter((name) => name !== 'plain.txt');
    for (const name of names) {
      for (const call of [
        `GET ${FILES}/odd/${name}`,
        `GET ${FILES}/odd/${name}?raw=true`,
        `HEAD ${FILES}/odd/${name}`,
      ]) {
        expect([call, (await owner.does(call)).status]).toEqual([call, 403]);
      }
      const append = { operation: 'append', content: 'x' };
      expect((await owner.does(`PATCH ${FILES}/odd/${name}`, { json: append })).body).toMatchObject({
        code: 'special_file',
      });
      const edit = { path: `odd/${name}`, edits: [{ old_string: 'x', new_string: 'y' }] };
      expect((await owner.does(`POST ${OPERATIONS}/edit`, { json: edit })).body).toMatchObject({
        code: 'special_file',
      });
      const json = { source: `odd/${name}`, destination: 'copy' };
      expect((await owner.does(`POST ${OPERATIONS}/copy`, { json })).body).toMatchObject({ code: 'special_file' });
      expect(
        (await owner.does(`PATCH /agent/a1/filesystem/metadata/odd/${name}`, { json: { permissions: '0777' } })).status,
      ).toBe(403);
    }
    const { body } = await owner.does('GET /agent/a1/filesystem/directories/odd');
    const kinds = (body as { entries: { name: string; type: string }[] }).entries.map(({ name, type }) => [name, type]);
    expect(kinds.sort()).toEqual([...names.map((name) => [name, 'other']), ['plain.txt', 'file']].sort());
  });

  it('are left out of a copy of their directory, of a seed and of a capture', async () => {
    const run = await owner.startsRun('a1');
    await using _ = await plantSpecials();
    const json = { source: 'odd', destination: 'copied' };
    expect((await owner.does(`POST ${OPERATIONS}/copy`, { json })).status).toBe(200);
    expect(await readdir(at('copied'))).toEqual(['plain.txt']);
    const finished = await owner.finishesRun(run);
    expect(finished.outputs.map(({ path }) => path).sort()).toEqual(['/copied/plain.txt', '/odd/plain.txt']);
    expect(finished.skipped).toContainEqual({ path: '/odd/pipe', reason: 'special file' });
    await owner.stores('kept.txt', 'kept');
    execFileSync('mkfifo', [join(world.disk('store'), 'pipe')]);
    expect((await owner.does('POST /agent/a1/runs', { json: { files: ['pipe'] } })).status).toBe(403);
    expect((await owner.startsRun('a1', { files: ['*'] })).seeded).toMatchObject([{ path: '/kept.txt' }]);
  });

  it('can be moved, replaced and deleted', async () => {
    await using _ = await plantSpecials();
    const json = { source: 'odd/pipe', destination: 'elsewhere' };
    expect((await owner.does(`POST ${OPERATIONS}/move`, { json })).status).toBe(200);
    expect((await lstat(at('elsewhere'))).isFIFO()).toBe(true);
    await owner.writes('a1', 'elsewhere', 'a file now');
    expect(await readFile(at('elsewhere'), 'utf8')).toBe('a file now');
    expect((await owner.does(`DELETE ${FILES}/odd/socket`)).status).toBe(200);
    expect((await owner.does('DELETE /agent/a1/filesystem/directories/odd')).status).toBe(200);
  });
});

describe('a hard link to a file outside', () => {
  it('is replaced: every way to write leaves the other name as it was', async () => {
    using outside = temporaryDirectory();
    const secret = join(outside.path, 'secret');
    const write: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['PUT raw', () => owner.writes('a1', 'linked', 'mine')],
      ['POST', () => owner.does(`POST ${FILES}/linked`, { json: { content: 'mine', overwrite: true } })],
      ['PATCH', () => owner.does(`PATCH ${FILES}/linked`, { json: { operation: 'append', content: 'mine' } })],
      [
        'edit',
        () =>
          owner.does(`POST ${OPERATIONS}/edit`, {
            json: { path: 'linked', edits: [{ old_string: 'secret', new_string: 'mine' }] },
          }),
      ],
      [
        'copy',
        () => owner.does(`POST ${OPERATIONS}/copy`, { json: { source: 's', destination: 'linked', overwrite: true } }),
      ],
      [
        'move',
        () => owner.does(`POST ${OPERATIONS}/move`, { json: { source: 's', destination: 'linked', overwrite: true } }),
      ],
      ['seed', () => owner.does('POST /agent/a1/runs', { json: { files: [{ path: 's', to: 'linked' }] } })],
      ['delete', () => owner.does(`DELETE ${FILES}/linked`)],
    ];
    for (const [name, change] of write) {
      await rm(secret, { force: true });
      await writeFile(secret, 'secret', { mode: 0o600 });
      await owner.stores('s', 'mine');
      await owner.writes('a1', 's', 'mine');
      await rm(at('linked'), { force: true });
      await link(secret, at('linked'));
      await change();
      const { mode, nlink } = await stat(secret);
      const left = [name, await readFile(secret, 'utf8'), mode & 0o7777, nlink];
      expect(left).toEqual([name, 'secret', 0o600, 1]);
      // What a write in place would have done.
      await rm(at('linked'), { force: true });
      await link(secret, at('linked'));
      await writeFile(at('linked'), 'mine');
      expect(await readFile(secret, 'utf8')).toBe('mine');
    }
  });
});

describe('setuid, setgid and sticky', () => {
  it('are masked off what is copied in, copied and captured, and off what chmod sets', async () => {
    await owner.stores('tool', 'x');
    await chmod(join(world.disk('store'), 'tool'), 0o6755);
    await owner.startsRun('a1', { files: ['tool'] });
    await mkdir(at('dir'));
    await writeFile(at('dir/own'), 'x');
    await chmod(at('dir/own'), 0o7755);
    await chmod(at('dir'), 0o1777);
    await owner.does(`POST ${OPERATIONS}/copy`, { json: { source: 'dir', destination: 'copied' } });
    await owner.does('PATCH /agent/a1/filesystem/metadata/dir/own', { json: { permissions: '7755' } });
    await owner.does(`PUT ${FILES}/new?upsert=true`, { json: { content: 'x', permissions: '7777' } });
    for (const path of ['tool', 'copied', 'copied/own', 'dir/own', 'new']) {
      expect([path, (await stat(at(path))).mode & 0o7000]).toEqual([path, 0]);
    }
  });
});

describe('a file of nothing but a hole', () => {
  it('counts by its blocks for the quota and by its size in a transfer, and holds up no run', async () => {
    await writeFile(at('hole'), '');
    await truncate(at('hole'), 8000 * GIB);
    const run = await owner.startsRun('a1');
    const head = await owner.does(`HEAD ${FILES}/hole?raw=true`);
    expect(head.headers['content-length']).toBe(String(8000 * GIB));
    const part = await owner.does(`GET ${FILES}/hole?raw=true`, { headers: { range: 'bytes=-4' } });
    expect([part.status, part.bytes]).toEqual([206, Buffer.alloc(4)]);
    expect((await owner.does(`GET ${FILES}/hole`)).status).toBe(413);
    await truncate(at('hole'), 9000 * GIB);
    const finished = await owner.finishesRun(run);
    expect(finished).toMatchObject({
      status: 'completed',
      outputs: [],
      skipped: [{ path: '/hole', reason: 'over quota' }],
    });
    expect((await owner.does('GET /agent/a1')).body).toMatchObject({ usage: { bytes: 0, files: 1 } });
  });
});

describe('a time that no calendar has', () => {
  // Of the disks at hand this one holds any time; others cut it off.
  it('does not keep a directory from being listed', async () => {
    const dataDir = await mkdtemp('/dev/shm/workspaced-test-');
    const other = await startTestDaemon({ env: { DATA_DIR: dataDir } });
    try {
      const ann = makeWorld(other).owner;
      await ann.writes('a1', 'late', 'x');
      const [tenant = ''] = await readdir(join(dataDir, 'tenants'));
      const file = join(dataDir, 'tenants', tenant, 'agents/a1/tree/late');
      for (const time of ['@99999999999999', '@-99999999999999']) {
        execFileSync('touch', ['-d', time, file]);
        for (const call of ['directories', 'files/late', 'files/late?raw=true', 'metadata/late']) {
          expect([call, (await ann.does(`GET /agent/a1/filesystem/${call}`)).status]).toEqual([call, 200]);
        }
      }
      expect(() => statSync(file).mtime.toISOString()).toThrow('Invalid time value');
    } finally {
      await other.close();
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});

describe('a tree that changes under a request', () => {
  it('a file that grows is sent at the length it had', async () => {
    await writeFile(at('grows'), Buffer.alloc(8 * 1024 ** 2));
    let isOver = false;
    const growing = (async () => {
      while (!isOver) await appendFile(at('grows'), Buffer.alloc(65_536, 'y'));
    })();
    const answer = await owner.does(`GET ${FILES}/grows?raw=true`);
    isOver = true;
    await growing;
    expect(answer.bytes).toHaveLength(Number(answer.headers['content-length']));
    expect(answer.bytes.length).toBeLessThan((await stat(at('grows'))).size);
  });

  it('directories moved into each other and deleted meanwhile are skipped: no error, and no loop', async () => {
    for (const name of ['a', 'b']) {
      await mkdir(at(`${name}/in/deep`), { recursive: true });
      await Promise.all(Array.from({ length: 50 }, (_, n) => writeFile(at(`${name}/in/deep/${n}`), 'x')));
    }
    let isOver = false;
    const moving = (async () => {
      const quietly = (step: Promise<unknown>) => step.catch(() => undefined);
      while (!isOver) {
        await quietly(rename(at('a'), at('b/in/a')));
        await quietly(rename(at('b/in/a'), at('a')));
        await quietly(rename(at('a/in'), at('b/x')));
        await quietly(rename(at('b/x'), at('a/in')));
      }
    })();
    for (let round = 0; round < 30; round += 1) {
      const answer = await owner.does('GET /agent/a1/filesystem/directories?recursive=true&limit=10000');
      expect(answer.status).toBe(200);
      expect((answer.body as { entries: unknown[] }).entries.length).toBeLessThan(300);
    }
    const removed = await owner.does('DELETE /agent/a1/filesystem/directories/b');
    isOver = true;
    await moving;
    expect([200, 404]).toContain(removed.status);
  });
});
