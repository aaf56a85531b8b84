import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Grant } from '../../src/auth/grant.ts';
import { whileClaimed } from '../../src/core/claim.ts';
import type { SlotDelivery } from '../../src/core/core.ts';
import { listOrphans } from '../../src/db/contents.ts';
import * as rows from '../../src/db/slots.ts';
import type { ObjectId } from '../../src/ids.ts';
import { parentOf } from '../../src/tree/path.ts';
import { ACME, at, type CoreSite, coreSite, failure, grantOf, type OneCore, pathsOf } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

const CONTENT = 'what a slot is filled with';
const SIZE = CONTENT.length;
const MAX_BYTES = 1000;
const HELD = { bytes: 0, files: 0, reservedBytes: SIZE };
const WHOLE = { bytes: SIZE, files: 1, reservedBytes: 0 };
const NOTHING = { bytes: 0, files: 0, reservedBytes: 0 };

let now = Date.now();

async function open(site: CoreSite): Promise<OneCore> {
  const one = await site.open({ clock: () => new Date(now), severalProcesses: true });
  await one.core.tenants.admit(ACME);
  return one;
}

async function reserve({ core }: OneCore, expectedBytes: number | null = SIZE): Promise<ObjectId> {
  const wanted = { contentType: 'text/plain', filename: null, visibility: 'private', maxBytes: MAX_BYTES } as const;
  return (await core.slots.create(grantOf(), { ...wanted, expectedBytes })).id;
}

/** What the bearer of the slot's link has. */
function bearerOf(object: ObjectId): Grant {
  const upload = { object, contentType: 'text/plain', maxBytes: MAX_BYTES };
  return { ...grantOf(), scopes: new Set(), upload };
}

function fill(one: OneCore, id: ObjectId, text = CONTENT, piece: SlotDelivery['piece'] = null) {
  const delivery = { body: Readable.from([Buffer.from(text)]), declaredBytes: null, piece, found: () => undefined };
  return one.core.slots.fill(bearerOf(id), delivery);
}

const statusOf = async ({ core }: OneCore, id: ObjectId) => {
  const { items } = await core.slots.list(grantOf(), { limit: 100, offset: 0 });
  return items.find((slot) => slot.id === id)?.status;
};
const usageOf = async ({ core }: OneCore) => {
  const { bytes, files, reservedBytes } = (await core.tenants.get(ACME)).usage;
  return { bytes, files, reservedBytes };
};
const homeOf = (one: OneCore) => one.root.open(['tenants', ACME, 'objects']);
const placedIn = async (one: OneCore) =>
  (await pathsOf((await homeOf(one)).tree)).filter((path) => !path.endsWith('/'));
const later = () => {
  now += 15 * 60_000;
};

async function textOf({ core }: OneCore, id: ObjectId): Promise<string> {
  const { file } = await core.objects.open(grantOf(), id);
  try {
    return (await file.bytes(MAX_BYTES)).toString();
  } finally {
    await file.close();
  }
}

/** Every byte of a slot of unknown size has come: as a crash leaves it before anybody looks at them. */
async function arrive(one: OneCore, id: ObjectId): Promise<void> {
  const piece = { first: 0, last: SIZE - 1, total: null };
  expect(await fill(one, id, CONTENT, piece)).toEqual({ arrivedBytes: SIZE });
}

/** As a crash leaves it after the bytes were hashed and referred to, before they were placed. */
async function markArrived(one: OneCore, id: ObjectId): Promise<string> {
  await arrive(one, id);
  const sha256 = createHash('sha256').update(CONTENT).digest('hex');
  await rows.markArrived(one.db, { tenant: ACME, id }, { sha256, size: SIZE }, now);
  return sha256;
}

/** As a crash leaves it after the bytes were placed, before the slot was. */
async function place(one: OneCore, id: ObjectId): Promise<void> {
  const sha256 = await markArrived(one, id);
  const { tree, staging } = await homeOf(one);
  const path = at(`${sha256.slice(0, 2)}/${sha256}`);
  await tree.mkdir(parentOf(path));
  await tree.place(path, await staging.partial(id).staged(), 'create');
  expect(await staging.partial(id).size()).toBe(0);
}

for (const kind of DATABASES) {
  describe(`slots on ${kind.name}`, () => {
    let site: CoreSite;
    let one: OneCore;
    beforeEach(async () => {
      site = await coreSite(kind);
      one = await open(site);
    });
    afterEach(() => site[Symbol.asyncDispose]());

    it('that cannot be settled go behind all that wait', async () => {
      const [stuck, next] = [await reserve(one), await reserve(one)];
      mkdirSync(join((await homeOf(one)).hostPath, '../staging', `upload-${stuck}~part`));
      later();
      await one.core.sweep();
      expect([await statusOf(one, stuck), await statusOf(one, next)]).toEqual(['pending_upload', 'error_state']);
      expect((await rows.dueSlots(one.db, now, 100)).map(({ id }) => id)).toEqual([]);
      expect((await rows.dueSlots(one.db, now + 10_000, 100)).map(({ id }) => id)).toEqual([stuck]);
    });

    it('that were never filled become failed after their time, and their room comes free', async () => {
      const id = await reserve(one);
      expect(await usageOf(one)).toEqual(HELD);
      await one.core.sweep();
      expect(await statusOf(one, id)).toBe('pending_upload');
      later();
      await one.core.sweep();
      expect([await statusOf(one, id), await usageOf(one)]).toEqual(['error_state', NOTHING]);
      expect(await failure(one.core.slots.download(grantOf(), id))).toMatchObject({ code: 'not_found' });
      expect(await failure(fill(one, id))).toMatchObject({ code: 'expired' });
      await one.core.slots.remove(grantOf(), id);
      expect(await statusOf(one, id)).toBeUndefined();
    });

    it('that are kept for a time are gone with it, filled or not, and take nothing after it', async () => {
      const brief = { contentType: 'text/plain', filename: null, visibility: 'private', maxBytes: MAX_BYTES } as const;
      const make = () => one.core.slots.create(grantOf(), { ...brief, expectedBytes: SIZE, expiresAfterSeconds: 60 });
      const [filled, empty] = [await make(), await make()];
      const end = new Date(now + 60_000);
      expect(filled).toMatchObject({ expiresAt: end, upload: { expiresAt: end } });
      await fill(one, filled.id);
      expect((await one.core.slots.download(grantOf(), filled.id)).expiresAt).toEqual(end);
      now += 60_000;
      for (const { id } of [filled, empty]) {
        expect(await failure(one.core.slots.download(grantOf(), id))).toMatchObject({ code: 'not_found' });
        expect(await failure(one.core.slots.setVisibility(grantOf(), id, 'public'))).toMatchObject({
          code: 'not_found',
        });
        expect(await failure(one.core.objects.get(grantOf(), id))).toMatchObject({ code: 'not_found' });
      }
      await one.core.sweep();
      expect([await statusOf(one, filled.id), await statusOf(one, empty.id)]).toEqual([undefined, 'error_state']);
      expect([await placedIn(one), await usageOf(one)]).toEqual([[], NOTHING]);
    });

    it('that were filled in part become failed after their time, and what came goes', async () => {
      const id = await reserve(one);
      await fill(one, id, CONTENT.slice(0, 5), { first: 0, last: 4, total: SIZE });
      const { staging } = await homeOf(one);
      expect(await staging.partial(id).size()).toBe(5);
      later();
      await one.core.sweep();
      expect([await statusOf(one, id), await usageOf(one)]).toEqual(['error_state', NOTHING]);
      expect(await staging.partial(id).size()).toBe(0);
    });

    it('of which every byte had come are finished after their time, where their size was known', async () => {
      const id = await reserve(one);
      const { staging } = await homeOf(one);
      await staging.partial(id).append(Readable.from([Buffer.from(CONTENT)]), { at: 0, maxBytes: SIZE });
      later();
      await one.core.sweep();
      expect([await statusOf(one, id), await usageOf(one)]).toEqual(['uploaded', WHOLE]);
      expect(await textOf(one, id)).toBe(CONTENT);
    });

    it.each([
      ['before its bytes were placed', markArrived],
      ['after its bytes were placed', place],
    ])('whose upload stopped %s are finished by the next sweep, or by asking', async (_name, crash) => {
      for (const settle of [() => one.core.sweep(), (id: ObjectId) => one.core.slots.progress(bearerOf(id), SIZE)]) {
        const id = await reserve(one, null);
        await crash(one, id);
        // Bytes that only a pending slot refers to are nobody's to take away.
        await one.core.objects.remove(grantOf(), (await keepSame(one)) as ObjectId);
        await settle(id);
        expect([await statusOf(one, id), await usageOf(one)]).toEqual(['uploaded', WHOLE]);
        expect(await textOf(one, id)).toBe(CONTENT);
        await one.core.slots.remove(grantOf(), id);
        expect([await placedIn(one), await usageOf(one)]).toEqual([[], NOTHING]);
      }
    });

    it('whose bytes were lost after they came are failed, refer to nothing and hold nothing', async () => {
      const id = await reserve(one, null);
      await markArrived(one, id);
      await (await homeOf(one)).staging.partial(id).discard();
      await one.core.sweep();
      expect([await statusOf(one, id), await usageOf(one)]).toEqual(['error_state', NOTHING]);
      await one.core.sweep();
      expect(await listOrphans(one.db, 10)).toEqual([]);
    });

    it('whose bytes are others than those that came are failed, and not served', async () => {
      const id = await reserve(one, null);
      await markArrived(one, id);
      const { staging } = await homeOf(one);
      await staging.partial(id).cut(SIZE - 1);
      await one.core.sweep();
      expect([await statusOf(one, id), await placedIn(one)]).toEqual(['error_state', []]);
    });

    it('are left alone by a sweep while one process is at work on them', async () => {
      const id = await reserve(one);
      later();
      const other = { db: one.db, instance: 'another', clock: () => new Date(now) };
      await whileClaimed(other, `slots/${id}`, async () => {
        await one.core.sweep();
        expect(await statusOf(one, id)).toBe('pending_upload');
        expect(await failure(fill(one, id))).toMatchObject({ code: 'conflict' });
      });
      now += 60_000;
      await one.core.sweep();
      expect(await statusOf(one, id)).toBe('error_state');
    });

    it('that are deleted once their bytes came leave nothing, wherever the upload stopped', async () => {
      for (const crash of [arrive, markArrived, place]) {
        const id = await reserve(one, null);
        await crash(one, id);
        await one.core.slots.remove(grantOf(), id);
        expect([await statusOf(one, id), await placedIn(one), await usageOf(one)]).toEqual([undefined, [], NOTHING]);
        expect(await (await homeOf(one)).staging.partial(id).size()).toBe(0);
      }
    });

    it('are filled by one of two processes, whole', async () => {
      const second = await open(site);
      const id = await reserve(one);
      const answers = await Promise.all([one, second].map((each) => failure(fill(each, id))));
      const won = answers.filter((answer) => answer === 'it succeeded');
      expect(won).toHaveLength(1);
      const [lost] = answers.filter((answer) => answer !== 'it succeeded');
      expect(['conflict', 'forbidden']).toContain((lost as { code: string }).code);
      expect([await textOf(second, id), await usageOf(one)]).toEqual([CONTENT, WHOLE]);
    });

    it('can be filled by the bearer of their link alone', async () => {
      const id = await reserve(one);
      const body = Readable.from([CONTENT]);
      const delivery = { body, declaredBytes: null, piece: null, found: () => undefined };
      const refused = one.core.slots.fill(grantOf(), delivery);
      expect(await failure(refused)).toMatchObject({ code: 'forbidden' });
      expect(await failure(fill(one, 'no-slot' as ObjectId))).toMatchObject({ code: 'not_found' });
      expect(await statusOf(one, id)).toBe('pending_upload');
    });
  });
}

/** An object with the same content, made by other means. */
async function keepSame({ core }: OneCore): Promise<string> {
  const received = await core.objects.receive(ACME, Readable.from([Buffer.from(CONTENT)]), { maxBytes: MAX_BYTES });
  const meta = { filename: null, purpose: null, userId: null, agentId: null, sessionId: null };
  return (await received.keep(grantOf(), meta)).id;
}
