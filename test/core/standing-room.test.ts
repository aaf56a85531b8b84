import { Readable } from 'node:stream';
import { objectsAccount } from '../../src/core/account.ts';
import { openDisk } from '../../src/core/disk.ts';
import { openQuota, type Quota } from '../../src/core/quota.ts';
import { holderOf, StandingRoom } from '../../src/core/standing-room.ts';
import { buryHolds } from '../../src/db/holds.ts';
import { insertObject } from '../../src/db/objects.ts';
import { ACME, coreSite, failure, type OneCore, singleCore } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

const ACCOUNT = objectsAccount(ACME);
const HOLDER = holderOf('u1');

/** The ledger as the process of this name sees it. */
function quotaOf({ db, root }: OneCore, instance: string): Quota {
  const nobody = async () => undefined;
  const disk = openDisk(root, 0);
  const demandAlive = () => undefined;
  return openQuota({ db, instance, disk, demandAlive, recount: nobody, missed: nobody, announce: nobody });
}

const roomOf = (one: OneCore, instance: string) => new StandingRoom(quotaOf(one, instance), ACCOUNT, HOLDER);
const count = (bytes: number, files = 1) => ({ bytes, files });

async function usage(one: OneCore) {
  const { bytes, files, reservedBytes } = (await one.core.tenants.get(ACME)).usage;
  return { bytes, files, reservedBytes };
}

for (const kind of DATABASES) {
  describe(`standing room on ${kind.name}`, () => {
    it('is held over the end of the process that took it, and ended once by another', async () => {
      await using one = await singleCore(kind);
      await roomOf(one, 'first').cover(count(1000));
      await buryHolds(one.db, 'first', 1);
      expect(await usage(one)).toEqual({ bytes: 0, files: 0, reservedBytes: 1000 });
      await one.db.updateTable('usage').set({ recount: 0 }).execute();
      const room = roomOf(one, 'second');
      await room.cover(count(800));
      expect((await usage(one)).reservedBytes).toBe(1000);
      await room.cover(count(1500));
      expect((await usage(one)).reservedBytes).toBe(1500);
      let joined = 0;
      await room.settle(count(900), async () => {
        joined += 1;
      });
      expect(await usage(one)).toEqual({ bytes: 900, files: 1, reservedBytes: 0 });
      await roomOf(one, 'third').release();
      expect(await usage(one)).toEqual({ bytes: 900, files: 1, reservedBytes: 0 });
      expect(joined).toBe(1);
    });

    it('is refused beyond the limit with what this upload itself holds told apart', async () => {
      await using one = await singleCore(kind);
      await one.core.tenants.put(ACME, { quotaBytes: 1000 });
      await roomOf(one, 'first').cover(count(600));
      const refused = await failure(roomOf(one, 'second').cover(count(1001)));
      expect(refused).toMatchObject({ code: 'quota_exceeded', detail: { used: 0, limit: 1000, requested: 1001 } });
      expect((await usage(one)).reservedBytes).toBe(600);
      await roomOf(one, 'second').release();
      expect((await usage(one)).reservedBytes).toBe(0);
    });

    it('marks the process that is about to write, so that its crash is followed by a count', async () => {
      await using one = await singleCore(kind);
      await roomOf(one, 'first').cover(count(10));
      await roomOf(one, 'second').cover(count(10));
      await buryHolds(one.db, 'first', 1);
      expect(String(await failure(roomOf(one, 'second').cover(count(10))))).toMatch('must be counted first');
    });

    it('changes nothing where what joins the settling fails', async () => {
      await using one = await singleCore(kind);
      const room = roomOf(one, 'first');
      await room.cover(count(10));
      const fail = async () => Promise.reject(new Error('the row is gone'));
      expect(String(await failure(room.settle(count(10), fail)))).toMatch('the row is gone');
      expect(await usage(one)).toEqual({ bytes: 0, files: 0, reservedBytes: 10 });
    });

    it('and the bytes of a pending object are left alone by every sweep while it is pending', async () => {
      await using site = await coreSite(kind);
      const one = await site.open();
      await one.core.tenants.admit(ACME);
      const { staging } = await one.root.open(['tenants', ACME, 'objects']);
      for (const id of ['pending', 'gone']) {
        await staging.partial(id).append(Readable.from([Buffer.from(id)]), { at: 0, maxBytes: 10 });
      }
      await insertObject(one.db, pendingObject('pending'));
      await roomOf(one, 'first').cover(count(1000));
      await one.core.sweep();
      await one.close();
      const next = await site.open();
      await next.core.sweep();
      expect(await staging.partial('pending').size()).toBe('pending'.length);
      expect(await staging.partial('gone').size()).toBe(0);
      expect((await usage(next)).reservedBytes).toBe(1000);
      await next.db.updateTable('objects').set({ status: 'deleted' }).where('id', '=', 'pending').execute();
      await next.core.sweep();
      expect(await staging.partial('pending').size()).toBe(0);
    });
  });
}

function pendingObject(id: string) {
  return {
    ...{ id, tenant: ACME, user_id: null, agent_id: null, session_id: null, run_id: null, purpose: null },
    ...{ status: 'pending_upload' as const, visibility: 'private' as const, filename: null, mime_type: 'text/plain' },
    ...{ size: null, sha256: null, path: null, created_at: 1, deleted_at: null, expected_size: null },
    ...{ uploaded_at: null, slot_until: Date.now() + 3_600_000, expires_at: null, downloads: 0 },
  };
}
