import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Actor } from '../support/actor.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { makeWorld, type World } from '../support/scenario.ts';

/** Names that a process in the mount may give, and a client may not. */
let daemon: TestDaemon;
let world: World;
let owner: Actor;
const WORKSPACE = '/agent/a1/filesystem';

beforeAll(async () => {
  daemon = await startTestDaemon();
});
afterAll(() => daemon.close());
beforeEach(async () => {
  world = makeWorld(daemon);
  owner = world.owner;
  await owner.makesAgent('a1');
});

const plant = (name: string | Buffer, content = 'planted') =>
  writeFile(Buffer.concat([Buffer.from(`${world.disk('a1')}/`), Buffer.from(name)]), content);

interface Listed {
  readonly name: string;
  readonly path: string;
  readonly path_b64?: string;
}

async function listed(): Promise<readonly Listed[]> {
  return ((await owner.does(`GET ${WORKSPACE}/directories`)).body as { entries: Listed[] }).entries;
}

// What breaks headers, terminals, shells, JSON and SQL.
const ODD = [
  'new\nline',
  'carriage\rreturn',
  'cr\r\nSet-Cookie: a=b',
  'tab\there',
  'bell\u0007',
  'delete\u007f',
  'escape\u001b[31m',
  'back\\slash',
  '..\\..\\up',
  'quote"and\'quote',
  'semi;filename=x.html',
  '%2e%2e%2f',
  '%00',
  "'; drop table agents; --",
  'emoji😀',
  'bidi\u202etxt.exe',
  'zero\u200bwidth',
  'nbsp\u00a0',
  'trailing. ',
  '-rf',
  '~',
  'CON',
  'caf\u00e9',
  'cafe\u0301',
  '\u{10ffff}',
  'x'.repeat(255),
];

describe('odd names that are there', () => {
  it('are listed, each as itself, and can be read, copied, moved and deleted', async () => {
    for (const name of ODD) await plant(name, `of ${name}`);
    expect((await listed()).map(({ name }) => name).sort()).toEqual([...ODD].sort());
    for (const name of ODD) {
      const target = `${WORKSPACE}/files/${encodeURIComponent(name)}`;
      expect((await owner.does(`GET ${target}?raw=true`)).text).toBe(`of ${name}`);
      expect((await owner.does(`GET ${target}`)).body).toMatchObject({ path: `/${name}`, content: `of ${name}` });
      const copied = await owner.does(`POST ${WORKSPACE}/operations/copy`, {
        json: { source: name, destination: 'plain', overwrite: true },
      });
      expect([name, copied.status]).toEqual([name, 200]);
      expect([name, (await owner.does(`DELETE ${target}`)).status]).toEqual([name, 200]);
    }
    expect((await listed()).map(({ name }) => name)).toEqual(['plain']);
  });

  it('that are not UTF-8 are listed without loss, never merged, and reached by path_b64', async () => {
    const names = ['\xff', '\xfe', 'caf\xe9', 'a\xc3', '\xed\xa0\x80', '\xef\xbf\xbd'].map((text) =>
      Buffer.from(text, 'latin1'),
    );
    for (const [n, name] of names.entries()) await plant(name, `number ${n}`);
    const entries = await listed();
    expect(entries).toHaveLength(names.length);
    for (const [n, name] of names.entries()) {
      const isText = Buffer.from(name.toString()).equals(name);
      const entry = entries.find((one) =>
        isText ? one.path_b64 === undefined : one.path_b64 === name.toString('base64'),
      );
      expect(entry?.name).toEqual(isText ? name.toString() : expect.stringContaining('\ufffd'));
      const query = isText ? '' : `?path_b64=${encodeURIComponent(entry?.path_b64 ?? '')}`;
      const target = `${WORKSPACE}/files${isText ? `/${encodeURIComponent(name.toString())}` : ''}${query}`;
      expect((await owner.does(`GET ${target}`)).body).toMatchObject({ content: `number ${n}` });
      expect((await owner.does(`DELETE ${target}`)).status).toBe(200);
    }
    expect(await readdir(world.disk('a1'))).toEqual([]);
  });

  it('are captured, and each comes back as a download under a name that breaks no header', async () => {
    const run = await owner.startsRun('a1');
    for (const name of ODD) await plant(name, `of ${name}`);
    const { outputs } = await owner.finishesRun(run);
    const shown = ODD.filter((name) => !name.startsWith('.'));
    expect(outputs.map(({ filename }) => filename).sort()).toEqual(shown.sort());
    for (const { id, filename } of outputs) {
      const answer = await owner.does(`GET /v1/files/${id}/content`);
      expect([filename, answer.text]).toEqual([filename, `of ${filename}`]);
      expect(answer.headers['set-cookie']).toBeUndefined();
      const disposition = String(answer.headers['content-disposition']);
      expect(disposition).toMatch(/^(inline|attachment); filename=/);
      expect(disposition).toMatch(/^[\x20-\x7e\xa0-\xff]*$/);
    }
  });

  it('would break a header that they are written into as they are', () => {
    expect(() => new Headers({ 'content-disposition': `attachment; filename="${ODD[2]}"` })).toThrow();
  });
});

describe('names that a client wants to make', () => {
  it('have no control characters and no backslash: 400 for every way to make one', async () => {
    await owner.writes('a1', 'src', 'x');
    for (const name of ['a\nb', 'a\rb', 'a\tb', 'a\u0001b', 'a\u007fb', 'a\\b']) {
      const encoded = encodeURIComponent(name);
      const answers = [
        await owner.does(`PUT ${WORKSPACE}/files/${encoded}?upsert=true`, { json: { content: 'x' } }),
        await owner.does(`POST ${WORKSPACE}/files/dir/${encoded}`, { raw: 'x' }),
        await owner.does(`POST ${WORKSPACE}/files/${encoded}/file`, { raw: 'x' }),
        await owner.does(`POST ${WORKSPACE}/directories/${encoded}`),
        await owner.does(`POST ${WORKSPACE}/operations/copy`, { json: { source: 'src', destination: name } }),
        await owner.does(`POST ${WORKSPACE}/operations/move`, { json: { source: 'src', destination: name } }),
        await owner.does('POST /api/v1/files/mkdir', { json: { path: name } }),
        await owner.does('POST /v1/files', { json: { content: '', user_id: 'u1', filename: name } }),
      ];
      expect([name, ...answers.map(({ status }) => status)]).toEqual([name, ...answers.map(() => 400)]);
    }
    expect((await listed()).map(({ name }) => name)).toEqual(['src']);
  });

  it('keep their Unicode form: what looks alike stays two files', async () => {
    await owner.writes('a1', 'caf\u00e9', 'one');
    await owner.writes('a1', 'cafe\u0301', 'two');
    expect((await readdir(world.disk('a1'))).sort()).toEqual(['cafe\u0301', 'caf\u00e9']);
    expect(await owner.reads('a1', 'caf\u00e9')).toBe('one');
    expect(await owner.reads('a1', 'cafe\u0301')).toBe('two');
  });

  it('have 255 bytes at most, and a path 4,096: 400, and a parent of more can still be deleted', async () => {
    expect((await owner.does(`POST ${WORKSPACE}/files/${'x'.repeat(255)}`, { raw: 'x' })).status).toBe(201);
    expect((await owner.does(`POST ${WORKSPACE}/files/${'x'.repeat(256)}`, { raw: 'x' })).status).toBe(400);
    const step = 'd'.repeat(250);
    const long = Array.from({ length: 17 }, () => step).join('/');
    expect((await owner.does(`POST ${WORKSPACE}/files/${long}`, { raw: 'x' })).status).toBe(400);
    // A process gets deeper than any path: step by step.
    const here = process.cwd();
    try {
      process.chdir(world.disk('a1'));
      for (let depth = 0; depth < 24; depth += 1) {
        await mkdir(step);
        process.chdir(step);
      }
      await writeFile('deepest', 'x');
    } finally {
      process.chdir(here);
    }
    expect((await owner.does(`GET ${WORKSPACE}/directories?recursive=true`)).status).toBe(200);
    expect((await owner.does(`DELETE ${WORKSPACE}/directories/${step}`)).status).toBe(200);
    expect(await readdir(join(world.disk('a1')))).toEqual(['x'.repeat(255)]);
  });
});
