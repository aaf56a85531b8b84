import type { Database } from '../../../src/db/schema.ts';
import { inTransaction, onCommit } from '../../../src/db/transaction.ts';
import { row, tenantIds } from './rows.ts';

export function describeTransactions(db: () => Database): void {
  describe('transactions', () => {
    it('do all or nothing, each for itself, also when many run at once', async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 60 }, (_, n) =>
          inTransaction(db(), async (tx) => {
            await tx
              .insertInto('tenants')
              .values(row(`alone-${n}-a`))
              .execute();
            await tx
              .insertInto('tenants')
              .values(row(`alone-${n}-b`))
              .execute();
            if (n % 3 === 0) throw new Error('given up');
          }),
        ),
      );
      expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(20);
      const kept = await tenantIds(db(), 'alone-');
      expect(kept).toHaveLength(80);
      expect(kept).not.toContain('alone-3-a');
      expect(kept).toContain('alone-4-b');
    });

    it('are not seen by others before they are done', async () => {
      await inTransaction(db(), async (tx) => {
        await tx.insertInto('tenants').values(row('unseen')).execute();
        expect(await tenantIds(tx, 'unseen')).toEqual(['unseen']);
        expect(await tenantIds(db(), 'unseen')).toEqual([]);
      });
      expect(await tenantIds(db(), 'unseen')).toEqual(['unseen']);
    });

    it('inside a transaction join it', async () => {
      const failing = inTransaction(db(), async (tx) => {
        await inTransaction(tx, (inner) => inner.insertInto('tenants').values(row('joined')).execute());
        throw new Error('given up');
      });
      await expect(failing).rejects.toThrow('given up');
      expect(await tenantIds(db(), 'joined')).toEqual([]);
    });

    it('are followed by what was to wait for their end, once, and only where they are done', async () => {
      const done: string[] = [];
      await inTransaction(db(), async (tx) => {
        await tx.insertInto('tenants').values(row('followed')).execute();
        await inTransaction(tx, async (inner) => onCommit(inner, () => done.push('joined')));
        onCommit(tx, () => done.push('last'));
        expect(done).toEqual([]);
      });
      expect(done).toEqual(['joined', 'last']);
      const failing = inTransaction(db(), async (tx) => {
        onCommit(tx, () => done.push('undone'));
        throw new Error('given up');
      });
      await expect(failing).rejects.toThrow('given up');
      expect(done).toEqual(['joined', 'last']);
    });

    it('that meet on the same rows in opposite order all succeed', async () => {
      await db()
        .insertInto('tenants')
        .values([row('meet-a'), row('meet-b')])
        .execute();
      const bump = (first: string, second: string) =>
        inTransaction(db(), async (tx) => {
          for (const id of [first, second]) {
            await tx
              .updateTable('tenants')
              .set(({ eb }) => ({ created_at: eb('created_at', '+', 1) }))
              .where('id', '=', id)
              .execute();
          }
        });
      await Promise.all(
        Array.from({ length: 4 }, (_, n) => (n % 2 === 0 ? bump('meet-a', 'meet-b') : bump('meet-b', 'meet-a'))),
      );
      const rows = await db().selectFrom('tenants').selectAll().where('id', 'like', 'meet-%').execute();
      expect(rows.map(({ created_at }) => created_at)).toEqual([5, 5]);
    });

    it('give back numbers of more than 32 bits exactly', async () => {
      const large = 2 ** 52 + 1;
      await db().insertInto('tenants').values({ id: 'large', status: 'active', created_at: large }).execute();
      const found = await db().selectFrom('tenants').select('created_at').where('id', '=', 'large').execute();
      expect(found).toEqual([{ created_at: large }]);
    });

    it('order text by its bytes', async () => {
      const names = ['é', 'B', 'a-b', 'a/b', 'a', 'Z', 'a0', '\u{1f600}', '\uffff'];
      await db()
        .insertInto('tenants')
        .values(names.map((name) => row(`order ${name}`)))
        .execute();
      const bytewise = names
        .map((name) => `order ${name}`)
        .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(await tenantIds(db(), 'order ')).toEqual(bytewise);
    });
  });
}
