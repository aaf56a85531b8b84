import type { Database } from '../../../src/db/schema.ts';
import * as usage from '../../../src/db/usage.ts';

const FREE = { limitBytes: 0, limitFiles: 0 };

/** A tenant with a store account, both limited. */
export async function accounts(db: Database, tenant: string, whole: usage.AccountLimits, store = FREE): Promise<void> {
  await usage.ensureAccount(db, { tenant, part: '' }, whole);
  await usage.ensureAccount(db, { tenant, part: 'store' }, store);
}

export const sizes = async (db: Database, tenant: string, part = 'store') => {
  const state = await usage.readAccount(db, { tenant, part });
  return [state?.bytes, state?.reservedBytes, state?.files, state?.reservedFiles];
};

export function describeLedger(db: () => Database): void {
  const wanted = (tenant: string, bytes: number, files = 0, instance = 'one') => {
    return { instance, tenant, part: 'store', bytes, files };
  };

  describe('reserve', () => {
    it('grants exactly 33 of 50 concurrent reservations of 30 against 1,000', async () => {
      await accounts(db(), 'race', { limitBytes: 1000, limitFiles: 0 });
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, n) => usage.reserve(db(), wanted('race', 30, 1, `instance ${n % 5}`))),
      );
      expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(33);
      expect(outcomes.filter((outcome) => outcome === 'refused')).toHaveLength(17);
      expect(await sizes(db(), 'race')).toEqual([0, 990, 0, 33]);
      expect(await sizes(db(), 'race', '')).toEqual([0, 990, 0, 33]);
      const held = await db().selectFrom('holds').select('bytes').where('tenant', '=', 'race').execute();
      expect(held.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(990);
    });

    it('passes the limit when it looks first and acts then, so the race is real', async () => {
      await accounts(db(), 'naive', { limitBytes: 1000, limitFiles: 0 });
      const lookThenAct = async () => {
        const [, reserved = 0] = await sizes(db(), 'naive', '');
        if (reserved + 30 > 1000) return;
        await db()
          .updateTable('usage')
          .set(({ eb }) => ({ reserved_bytes: eb('reserved_bytes', '+', 30) }))
          .where('tenant', '=', 'naive')
          .where('part', '=', '')
          .execute();
      };
      await Promise.all(Array.from({ length: 50 }, lookThenAct));
      expect((await sizes(db(), 'naive', ''))[1]).toBeGreaterThan(1000);
    });

    it('refuses where the part is full, where the tenant is full, and by files, and leaves nothing reserved', async () => {
      await accounts(db(), 'full', { limitBytes: 100, limitFiles: 2 }, { limitBytes: 50, limitFiles: 0 });
      expect(await usage.reserve(db(), wanted('full', 51))).toBe('refused');
      expect(await usage.reserve(db(), wanted('full', 50, 3))).toBe('refused');
      expect(await sizes(db(), 'full')).toEqual([0, 0, 0, 0]);
      expect(await sizes(db(), 'full', '')).toEqual([0, 0, 0, 0]);
      expect(await usage.reserve(db(), wanted('full', 50, 2))).toBe('ok');
    });

    it('reserves nothing more even above a lowered limit', async () => {
      await accounts(db(), 'lowered', FREE);
      await usage.reserve(db(), wanted('lowered', 500, 5));
      await usage.setLimits(db(), { tenant: 'lowered', part: '' }, { limitBytes: 100 });
      expect(await usage.reserve(db(), wanted('lowered', 0, 0))).toBe('ok');
      expect(await usage.reserve(db(), wanted('lowered', 1, 0))).toBe('refused');
      expect(await usage.reserve(db(), wanted('lowered', 0, 1))).toBe('ok');
    });

    it('asks for the recount that is owed', async () => {
      await accounts(db(), 'owed', FREE);
      await usage.markRecount(db(), { tenant: 'owed', part: 'store' });
      expect(await usage.reserve(db(), wanted('owed', 1))).toBe('recount');
      expect(await sizes(db(), 'owed', '')).toEqual([0, 0, 0, 0]);
    });

    it('says not_found for an account that is gone', async () => {
      await expect(usage.reserve(db(), wanted('nobody', 1))).rejects.toMatchObject({ code: 'not_found' });
    });
  });

  describe('settle', () => {
    it('books what was really taken and gives the rest back', async () => {
      await accounts(db(), 'settled', FREE);
      await usage.reserve(db(), wanted('settled', 100, 2));
      const before = await usage.readAccount(db(), { tenant: 'settled', part: 'store' });
      const reserved = { bytes: 100, files: 2 };
      const account = { instance: 'one', tenant: 'settled', part: 'store' };
      await usage.settle(db(), { ...account, reserved, actual: { bytes: 70, files: 1 } });
      expect(await sizes(db(), 'settled')).toEqual([70, 0, 1, 0]);
      expect(await sizes(db(), 'settled', '')).toEqual([70, 0, 1, 0]);
      const after = await usage.readAccount(db(), { tenant: 'settled', part: 'store' });
      expect(after?.version).toBe((before?.version ?? 0) + 1);
    });

    it('releases without booking, and never goes below nothing', async () => {
      await accounts(db(), 'floor', FREE);
      const account = { instance: 'one', tenant: 'floor', part: 'store' };
      await usage.reserve(db(), wanted('floor', 10, 1));
      await usage.settle(db(), { ...account, reserved: { bytes: 10, files: 1 }, actual: { bytes: 0, files: 0 } });
      await usage.settle(db(), { ...account, reserved: { bytes: 10, files: 1 }, actual: { bytes: -5, files: -1 } });
      expect(await sizes(db(), 'floor')).toEqual([0, 0, 0, 0]);
      expect(await sizes(db(), 'floor', '')).toEqual([0, 0, 0, 0]);
    });
  });

  describe('applyRecount', () => {
    it('books what was counted and the difference on the tenant, unless the account changed meanwhile', async () => {
      await accounts(db(), 'counted', FREE);
      const account = { tenant: 'counted', part: 'store' };
      const book = (bytes: number) =>
        usage.settle(db(), {
          ...account,
          instance: 'one',
          reserved: { bytes: 0, files: 0 },
          actual: { bytes, files: 1 },
        });
      await usage.ensureAccount(db(), { tenant: 'counted', part: 'objects' }, FREE);
      await usage.settle(db(), {
        ...{ instance: 'one', tenant: 'counted', part: 'objects' },
        reserved: { bytes: 0, files: 0 },
        actual: { bytes: 1000, files: 1 },
      });
      await book(100);
      await usage.markRecount(db(), account);
      const seen = (await usage.readAccount(db(), account))?.version ?? 0;
      await book(1);
      const stale = { ...account, counted: { bytes: 40, files: 4 }, ifVersion: seen };
      expect(await usage.applyRecount(db(), stale)).toBeNull();
      const fresh = (await usage.readAccount(db(), account))?.version ?? 0;
      const applied = await usage.applyRecount(db(), { ...stale, ifVersion: fresh });
      expect(applied).toMatchObject({ difference: { bytes: -61, files: 2 } });
      expect(await usage.readAccount(db(), account)).toMatchObject({ bytes: 40, files: 4, recountOwed: false });
      expect(await sizes(db(), 'counted', '')).toEqual([1040, 0, 5, 0]);
    });

    it('does not answer a demand that came after the count began', async () => {
      await accounts(db(), 'again', FREE);
      const account = { tenant: 'again', part: 'store' };
      const seen = (await usage.readAccount(db(), account))?.version ?? 0;
      await usage.markRecount(db(), account);
      const counted = { bytes: 1, files: 1 };
      expect(await usage.applyRecount(db(), { ...account, counted, ifVersion: seen })).toBeNull();
    });
  });

  describe('accounts', () => {
    it('keep their limits when ensured again, are listed in pages, and go with what they held', async () => {
      await accounts(db(), 'gone', { limitBytes: 10_000, limitFiles: 0 });
      expect(await usage.ensureAccount(db(), { tenant: 'gone', part: '' }, FREE)).toBe(false);
      await usage.reserve(db(), wanted('gone', 100, 1));
      const first = await usage.listAccounts(db(), 'gone', { after: null, limit: 1 });
      expect(first).toMatchObject([{ part: '', limitBytes: 10_000, reservedBytes: 100 }]);
      expect(await usage.listAccounts(db(), 'gone', { after: '', limit: 5 })).toMatchObject([{ part: 'store' }]);
      await usage.removeAccount(db(), { tenant: 'gone', part: 'store' });
      expect(await sizes(db(), 'gone', '')).toEqual([0, 0, 0, 0]);
      await usage.removeAccounts(db(), 'gone');
      expect(await usage.readAccount(db(), { tenant: 'gone', part: '' })).toBeNull();
      expect(await usage.setLimits(db(), { tenant: 'gone', part: '' }, { limitFiles: 1 })).toBe(false);
    });
  });
}
