import { buryHolds, dropHolds } from '../../../src/db/holds.ts';
import type { Database } from '../../../src/db/schema.ts';
import * as usage from '../../../src/db/usage.ts';
import { accounts, sizes } from './ledger.ts';

const FREE = { limitBytes: 0, limitFiles: 0 };

export function describeHolds(db: () => Database): void {
  describe('holds', () => {
    const account = (tenant: string) => ({ tenant, part: 'store' });
    const take = (tenant: string, instance: string, bytes: number) =>
      usage.reserve(db(), { ...account(tenant), instance, bytes, files: 1 });

    const holders = (tenant: string) =>
      db().selectFrom('holds').select(['instance', 'bytes', 'files']).where('tenant', '=', tenant).execute();

    it('of a dead process are given back once, and its parts owe a recount', async () => {
      await accounts(db(), 'crashed', FREE);
      await take('crashed', 'dead', 100);
      await take('crashed', 'alive', 7);
      expect(await holders('crashed')).toContainEqual({ instance: 'dead', bytes: 100, files: 1 });
      const buried = await Promise.all([buryHolds(db(), 'dead', 1), buryHolds(db(), 'dead', 1)]);
      expect(buried.flat()).toContainEqual(account('crashed'));
      expect(await sizes(db(), 'crashed')).toEqual([0, 7, 0, 1]);
      expect(await sizes(db(), 'crashed', '')).toEqual([0, 7, 0, 1]);
      expect(await take('crashed', 'alive', 1)).toBe('recount');
      expect(await holders('crashed')).toEqual([{ instance: 'alive', bytes: 7, files: 1 }]);
    });

    it('that were given back are not given back again by a process that was only slow', async () => {
      await accounts(db(), 'slow', FREE);
      await take('slow', 'slow', 100);
      await take('slow', 'other', 50);
      await buryHolds(db(), 'slow', 1);
      const settled = { reserved: { bytes: 100, files: 1 }, actual: { bytes: 90, files: 1 } };
      await usage.settle(db(), { ...account('slow'), instance: 'slow', ...settled });
      expect(await sizes(db(), 'slow')).toEqual([90, 50, 1, 1]);
    });

    it('stay as a mark that the process wrote there, until it stops cleanly', async () => {
      await accounts(db(), 'marked', FREE);
      await take('marked', 'stopping', 10);
      const back = { reserved: { bytes: 10, files: 1 }, actual: { bytes: 0, files: 0 } };
      await usage.settle(db(), { ...account('marked'), instance: 'stopping', ...back });
      expect(await holders('marked')).toHaveLength(1);
      await dropHolds(db(), 'stopping');
      expect(await holders('marked')).toEqual([]);
      expect((await usage.readAccount(db(), account('marked')))?.recountOwed).toBe(false);
    });
  });
}
