import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Upload, UploadTarget } from '../../src/core/core.ts';
import type { UploadRow } from '../../src/db/schema.ts';
import { beginPlacing, findUpload, insertUpload } from '../../src/db/uploads.ts';
import {
  A1,
  ACME,
  at,
  bodyOf,
  coreSite,
  failure,
  grantOf,
  type OneCore,
  openVolume,
  pathsOf,
  put,
  singleCore,
  textAt,
  WORKSPACE,
} from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';
import { until } from '../support/wait.ts';

const HOUR = 3_600_000;
const STORE: UploadTarget = { kind: 'store', path: at('in/f') };
const META = { filename: 'f.txt', purpose: 'knowledge', userId: 'u1', agentId: null, sessionId: null } as const;
const FILE: UploadTarget = { kind: 'file', meta: META };
const CONTENT = 'every byte of it';

function begin(one: OneCore, target: UploadTarget, length = CONTENT.length): Promise<Upload> {
  return one.core.uploads.create(grantOf(), { target, length, maxBytes: 1e9, metadata: '' });
}

function append(one: OneCore, { id }: Upload, offset: number, text: string): Promise<Upload> {
  return one.core.uploads.append(grantOf(), id, { offset, body: bodyOf(text), checksum: null });
}

async function rowOf(one: OneCore, { id }: Upload): Promise<UploadRow> {
  const row = await findUpload(one.db, ACME, id);
  if (row === null) throw new Error('the upload is gone');
  return row;
}

/** Nothing is reserved or staged any more, and the ledger is true. */
async function expectSettled(one: OneCore): Promise<void> {
  expect((await one.core.volumes.rescan(ACME, { dryRun: true })).drift).toEqual({ bytes: 0, files: 0 });
  expect((await one.core.tenants.get(ACME)).usage.reservedBytes).toBe(0);
  for (const part of ['store', 'objects']) {
    const { staging } = await one.root.open(['tenants', ACME, part]);
    expect(await staging.sweep({ has: () => false })).toBe(0);
  }
}

/** An upload with all its bytes, as a process left it that died before it finished anything. */
async function whole(one: OneCore, target: UploadTarget, content: string): Promise<Upload> {
  const upload = await begin(one, target, content.length);
  const { staging } = await one.root.open(['tenants', ACME, target.kind === 'file' ? 'objects' : 'store']);
  await staging.partial(upload.id).append(bodyOf(content), { at: 0, maxBytes: 100 });
  const changes = { status: 'whole', received: content.length, settle_at: Date.now() - 1 } as const;
  await one.db.updateTable('uploads').set(changes).where('id', '=', upload.id).execute();
  return upload;
}

/** The content of every file, oldest first. */
async function contentsOf(one: OneCore): Promise<readonly string[]> {
  const { items } = await one.core.objects.list(grantOf(), {}, { limit: 100, cursor: null });
  const texts: string[] = [];
  for (const { id } of items) {
    const { file } = await one.core.objects.open(grantOf(), id);
    texts.unshift((await file.bytes(1000)).toString());
    await file.close();
  }
  return texts;
}

type Stop = (one: OneCore, upload: Upload, content: string) => Promise<void>;

const setStatus = async (one: OneCore, { id }: Upload, status: UploadRow['status']) => {
  await one.db
    .updateTable('uploads')
    .set({ status, settle_at: Date.now() - 1 })
    .where('id', '=', id)
    .execute();
};

/** What a crash may leave of an upload to a path that is whole, step by step. */
const STORE_STEPS: Readonly<Record<string, Stop>> = {
  'before anything': async () => undefined,
  'before placing': (one, upload) => setStatus(one, upload, 'placing'),
  'before booking': async (one, upload, name) => {
    await setStatus(one, upload, 'placing');
    const { tree, staging } = await one.root.open(['tenants', ACME, 'store']);
    await tree.mkdir(at('in'));
    await tree.place(at(`in/${name}`), await staging.partial(upload.id).staged(), 'create');
  },
};

/** The same for one to an object. */
const FILE_STEPS: Readonly<Record<string, Stop>> = {
  'before anything': async () => undefined,
  'before placing': async (one, upload, content) => {
    await beginPlacing(one.db, await rowOf(one, upload), createHash('sha256').update(content).digest('hex'));
  },
  // Its content is in place, and an equal file that had it too is deleted.
  'before registering': async (one, upload, content) => {
    const received = await one.core.objects.receive(ACME, bodyOf(content), { maxBytes: 100 });
    const equal = await received.keep(grantOf(), META);
    await beginPlacing(one.db, await rowOf(one, upload), equal.sha256);
    const { staging } = await one.root.open(['tenants', ACME, 'objects']);
    await staging.partial(upload.id).discard();
    await one.core.objects.remove(grantOf(), equal.id);
  },
  'before delivering': async (one, upload) => {
    await one.core.uploads.resume(grantOf(), upload.id);
    await setStatus(one, upload, 'kept');
  },
};

type GoOn = (one: OneCore, upload: Upload) => Promise<unknown>;

const WHO: Readonly<Record<string, GoOn>> = {
  'the sweeper': (one) => one.core.sweep(),
  'the client that asks': (one, { id }) => one.core.uploads.resume(grantOf(), id),
  'the client that sends its last part again': (one, upload) => append(one, upload, upload.length, ''),
};

/** Every crash with everyone who may come next; the name is different for each. */
function crashes(steps: Readonly<Record<string, Stop>>): readonly [string, GoOn, Stop][] {
  return Object.entries(WHO).flatMap(([who, goesOn]) =>
    Object.entries(steps).map(([moment, stop]): [string, GoOn, Stop] => [`${moment}, by ${who}`, goesOn, stop]),
  );
}

for (const kind of DATABASES) {
  describe(`uploads on ${kind.name}`, () => {
    it('to a path are finished once, whoever goes on and wherever a crash stopped them', async () => {
      await using one = await singleCore(kind);
      const volume = await openVolume(one);
      for (const [name, goesOn, stop] of crashes(STORE_STEPS)) {
        const upload = await whole(one, { kind: 'store', path: at(`in/${name}`) }, name);
        await stop(one, upload, name);
        await goesOn(one, upload);
        await goesOn(one, upload);
        expect(await textAt(volume, `in/${name}`)).toBe(name);
        expect(await one.core.uploads.get(grantOf(), upload.id)).toMatchObject({ isFinished: true });
      }
      // What was never booked is counted before the next write.
      await put(volume, 'other', 'x');
      await expectSettled(one);
    });

    it('to a file are finished once, whoever goes on and wherever a crash stopped them', async () => {
      await using one = await singleCore(kind);
      const made: string[] = [];
      for (const [name, goesOn, stop] of crashes(FILE_STEPS)) {
        const upload = await whole(one, FILE, name);
        await stop(one, upload, name);
        await one.core.sweep();
        await goesOn(one, upload);
        await goesOn(one, upload);
        made.push(name);
        expect(await contentsOf(one)).toEqual(made);
      }
      await expectSettled(one);
    });

    it('count what was written down and forget what came beyond', async () => {
      await using one = await singleCore(kind);
      const upload = await begin(one, STORE);
      await append(one, upload, 0, CONTENT.slice(0, 5));
      const { staging } = await one.root.open(['tenants', ACME, 'store']);
      await staging.partial(upload.id).append(bodyOf('torn'), { at: 5, maxBytes: 100 });
      expect(await one.core.uploads.resume(grantOf(), upload.id)).toMatchObject({ offset: 5 });
      expect(await append(one, upload, 5, CONTENT.slice(5))).toMatchObject({ isFinished: true });
      expect(await textAt(await openVolume(one), 'in/f')).toBe(CONTENT);
      await expectSettled(one);
    });

    it('give their room back 24 hours after the last byte, and not before', async () => {
      let now = Date.now();
      await using one = await singleCore(kind, { clock: () => new Date(now) });
      const upload = await begin(one, STORE, 1000);
      const finished = await begin(one, { kind: 'store', path: at('done') }, 1);
      await append(one, finished, 0, 'x');
      now += 20 * HOUR;
      await append(one, upload, 0, 'some');
      now += 23 * HOUR;
      await one.core.sweep();
      expect(await failure(one.core.uploads.get(grantOf(), finished.id))).toMatchObject({ code: 'not_found' });
      expect((await one.core.tenants.get(ACME)).usage.reservedBytes).toBe(1000);
      now += 2 * HOUR;
      expect(await failure(append(one, upload, 4, 'late'))).toMatchObject({ code: 'expired' });
      await one.core.sweep();
      expect(await failure(one.core.uploads.get(grantOf(), upload.id))).toMatchObject({ code: 'not_found' });
      expect(await pathsOf(await openVolume(one))).toEqual(['done']);
      await expectSettled(one);
    });

    it('are of one caller at a time, of all processes: the later ends the earlier', async () => {
      await using site = await coreSite(kind);
      const [one, two] = [await site.open({ severalProcesses: true }), await site.open({ severalProcesses: true })];
      await one.core.tenants.admit(ACME);
      const upload = await begin(one, STORE);
      const hanging = new Readable({ read: () => undefined });
      hanging.push(CONTENT.slice(0, 5));
      const part = { offset: 0, body: hanging, checksum: null };
      const first = failure(one.core.uploads.append(grantOf(), upload.id, part));
      const { hostPath } = await one.root.open(['tenants', ACME, 'store']);
      await until(() => readdirSync(join(hostPath, '../staging')).length === 1);
      const second = await two.core.uploads.resume(grantOf(), upload.id);
      expect(await first).toMatchObject({ code: 'conflict' });
      expect(second.offset).toBe(5);
      expect(await append(two, upload, 5, CONTENT.slice(5))).toMatchObject({ isFinished: true });
      expect(await textAt(await openVolume(one), 'in/f')).toBe(CONTENT);
    });

    it('are a thousand of one tenant at a time', async () => {
      await using one = await singleCore(kind);
      const row = await rowOf(one, await begin(one, STORE, 1));
      for (let n = 1; n < 1000; n += 1) await insertUpload(one.db, { ...row, id: `upload_${n}` });
      expect(await failure(begin(one, STORE, 1))).toMatchObject({
        code: 'rate_limited',
        message: expect.stringMatching(/has 1000 uploads open/),
      });
      await one.db.updateTable('uploads').set({ status: 'done' }).where('id', '=', 'upload_7').execute();
      await begin(one, STORE, 1);
    });

    it('go with the workspace they were for, and with their tenant', async () => {
      await using one = await singleCore(kind);
      await one.core.agents.create(ACME, { agentId: A1 });
      const upload = await begin(one, { kind: 'workspace', agent: A1, path: at('f') });
      await append(one, upload, 0, 'some');
      await one.core.agents.remove(ACME, A1, { force: true });
      expect(await failure(append(one, upload, 4, 'more'))).toMatchObject({ code: 'not_found' });
      await expectSettled(one);
      await begin(one, STORE);
      await one.core.tenants.remove(ACME);
      expect(await one.db.selectFrom('uploads').select('id').execute()).toEqual([]);
    });

    it('that cannot be removed when their time is over keep no other from going', async () => {
      let now = Date.now();
      await using one = await singleCore(kind, { clock: () => new Date(now) });
      const stuck = await begin(one, STORE);
      now += 1;
      const next = await begin(one, FILE);
      const { hostPath } = await one.root.open(['tenants', ACME, 'store']);
      mkdirSync(join(hostPath, '../staging', `upload-${stuck.id}~part`));
      now += 25 * HOUR;
      await one.core.sweep();
      expect(await findUpload(one.db, ACME, stuck.id)).not.toBeNull();
      expect(await findUpload(one.db, ACME, next.id)).toBeNull();
    });

    it.each(['in/f/', 'in'])('to a path that cannot be written to are not even read: %s', async (taken) => {
      await using one = await singleCore(kind);
      const upload = await whole(one, STORE, CONTENT);
      const volume = await openVolume(one);
      await (taken === 'in' ? put(volume, 'in', 'a file') : put(volume, `${taken}x`, 'in a directory'));
      const { staging } = await one.root.open(['tenants', ACME, 'store']);
      await staging.partial(upload.id).discard();
      const code = taken === 'in' ? 'not_directory' : 'is_directory';
      expect(await failure(one.core.uploads.resume(grantOf(), upload.id))).toMatchObject({ code });
    });

    it('tell the change, once, to whoever listens', async () => {
      await using one = await singleCore(kind);
      await one.core.agents.create(ACME, { agentId: A1 });
      const upload = await begin(one, { kind: 'workspace', agent: A1, path: at('f') });
      const from = await one.core.changes.since(grantOf(), WORKSPACE, null, 10);
      await append(one, upload, 0, CONTENT);
      const told = await one.core.changes.since(grantOf(), WORKSPACE, from.next, 10);
      expect(told.changes.map(({ type, path }) => [type, path])).toEqual([['created', 'f']]);
    });

    it('reserve no more than the quota has, whoever asks at once', async () => {
      await using one = await singleCore(kind);
      await one.core.tenants.put(ACME, { quotaBytes: 1000 });
      const begun = await Promise.all(
        Array.from({ length: 20 }, (_, n) => failure(begin(one, { kind: 'store', path: at(`f${n}`) }, 90))),
      );
      expect(begun.filter((outcome) => outcome === 'it succeeded')).toHaveLength(11);
      expect((await one.core.tenants.get(ACME)).usage.reservedBytes).toBe(990);
      expect(await one.db.selectFrom('uploads').select('id').execute()).toHaveLength(11);
    });
  });
}
