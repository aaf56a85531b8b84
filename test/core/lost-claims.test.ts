import { PassThrough, type Readable } from 'node:stream';
import type { Checksum, SlotProgress, Upload } from '../../src/core/core.ts';
import { isReferenced } from '../../src/db/contents.ts';
import { beginPlacing, endPlacing, findUpload } from '../../src/db/uploads.ts';
import type { ObjectId } from '../../src/ids.ts';
import { ACME, bodyOf, type CoreSite, coreSite, failure, grantOf, type OneCore } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';
import { until } from '../support/wait.ts';

const META = { filename: 'f', purpose: null, userId: null, agentId: null, sessionId: null } as const;
const HELD_UP_MS = 61_000;

let now = Date.now();

async function open(site: CoreSite): Promise<OneCore> {
  const one = await site.open({ clock: () => new Date(now), severalProcesses: true });
  await one.core.tenants.admit(ACME);
  return one;
}

/**
 * Begins a request of a process that is then stopped, half of the body waiting to be written, for longer than its claim lasts.
 * Returns what has the process go on, and then tells what the request failed with.
 */
async function heldUp<T>(begin: (body: PassThrough) => Promise<T>): Promise<(end: End) => Promise<unknown>> {
  const body = new PassThrough();
  const { setInterval } = globalThis;
  // What stops renews nothing.
  globalThis.setInterval = Object.assign(() => setInterval(() => undefined, 1e6).unref(), setInterval);
  try {
    const failed = failure(begin(body));
    body.write('xxxxx');
    await until(() => body.readableLength === 0);
    now += HELD_UP_MS;
    return (end) => {
      end(body);
      return failed;
    };
  } finally {
    globalThis.setInterval = setInterval;
  }
}

type End = (body: PassThrough) => unknown;

/** The ways in which a body can go on that was held up. */
const ENDS: Readonly<Record<string, End>> = {
  'goes on': (body) => body.end('xxxxx'),
  'breaks off': (body) => body.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' })),
};

async function textOf({ core }: OneCore, id: ObjectId): Promise<string> {
  const { file } = await core.objects.open(grantOf(), id);
  try {
    return (await file.bytes(100)).toString();
  } finally {
    await file.close();
  }
}

function fill({ core }: OneCore, object: ObjectId, body: Readable, first: number): Promise<SlotProgress> {
  const bearer = {
    ...grantOf(),
    scopes: new Set<never>(),
    upload: { object, contentType: 'text/plain', maxBytes: 100 },
  };
  const piece = { first, last: first + 9, total: 20 };
  return core.slots.fill(bearer, { body, declaredBytes: null, piece, found: () => undefined });
}

function append({ core }: OneCore, { id }: Upload, offset: number, body: Readable, checksum: Checksum | null = null) {
  return core.uploads.append(grantOf(), id, { offset, body, checksum });
}

for (const kind of DATABASES) {
  describe(`a process that was held up longer than its claim lasts, on ${kind.name},`, () => {
    let site: CoreSite;
    let one: OneCore;
    let other: OneCore;
    beforeEach(async () => {
      site = await coreSite(kind);
      one = await open(site);
    });
    afterEach(() => site[Symbol.asyncDispose]());

    it.each(Object.keys(ENDS))('leaves alone the file that another made of its slot: the body %s', async (how) => {
      const wanted = { contentType: 'text/plain', filename: null, visibility: 'private', maxBytes: 100 } as const;
      const { id } = await one.core.slots.create(grantOf(), { ...wanted, expectedBytes: 20 });
      await fill(one, id, bodyOf('aaaaaaaaaa'), 0);
      const wake = await heldUp((body) => fill(one, id, body, 10));
      other = await open(site);
      await fill(other, id, bodyOf('bbbbbbbbbb'), 10);
      expect(await wake(ENDS[how] ?? fail)).toMatchObject({
        code: how === 'goes on' ? 'unavailable' : 'invalid_request',
      });
      expect(await textOf(other, id)).toBe('aaaaaaaaaabbbbbbbbbb');
    });

    it.each(Object.keys(ENDS))('leaves alone the file that another made of its upload: the body %s', async (how) => {
      const target = { kind: 'file', meta: META } as const;
      const upload = await one.core.uploads.create(grantOf(), { target, length: 20, maxBytes: 100, metadata: '' });
      await append(one, upload, 0, bodyOf('aaaaaaaaaa'));
      const wake = await heldUp((body) => append(one, upload, 10, body));
      other = await open(site);
      const { object } = await append(other, upload, 10, bodyOf('bbbbbbbbbb'));
      expect(await wake(ENDS[how] ?? fail)).toMatchObject({
        code: how === 'goes on' ? 'unavailable' : 'invalid_request',
      });
      expect(await textOf(other, object ?? fail())).toBe('aaaaaaaaaabbbbbbbbbb');
    });

    it('takes nothing back of what another acknowledged, for a part with a checksum', async () => {
      const target = { kind: 'file', meta: META } as const;
      const upload = await one.core.uploads.create(grantOf(), { target, length: 20, maxBytes: 100, metadata: '' });
      const checksum = { algorithm: 'md5', digest: Buffer.alloc(16) } as const;
      const wake = await heldUp((body) => append(one, upload, 0, body, checksum));
      other = await open(site);
      await append(other, upload, 0, bodyOf('aaaaaaaaaa'));
      await wake((body) => body.destroy(new Error('reset')));
      const { object } = await append(other, upload, 10, bodyOf('bbbbbbbbbb'));
      expect(await textOf(other, object ?? fail())).toBe('aaaaaaaaaabbbbbbbbbb');
    });

    it('makes no second file of an upload, and lets its content go no second time', async () => {
      const target = { kind: 'file', meta: META } as const;
      const upload = await one.core.uploads.create(grantOf(), { target, length: 4, maxBytes: 100, metadata: '' });
      await one.db.updateTable('uploads').set({ status: 'whole' }).where('id', '=', upload.id).execute();
      const received = await one.core.objects.receive(ACME, bodyOf('same'), { maxBytes: 100 });
      const { sha256, id } = await received.keep(grantOf(), META);
      const row = { ...((await findUpload(one.db, ACME, upload.id)) ?? fail()), sha256 };
      await beginPlacing(one.db, row, sha256);
      expect(await failure(beginPlacing(one.db, row, sha256))).toMatchObject({ code: 'unavailable' });
      await endPlacing(one.db, row, id);
      expect(await failure(endPlacing(one.db, row, id))).toMatchObject({ code: 'unavailable' });
      // The equal file still has it.
      expect(await isReferenced(one.db, { tenant: ACME, sha256 })).toBe(true);
    });
  });
}

function fail(): never {
  throw new Error('there is none');
}
