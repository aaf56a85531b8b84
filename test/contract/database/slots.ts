import * as contents from '../../../src/db/contents.ts';
import { findAnyObject, findObject, insertObject } from '../../../src/db/objects.ts';
import type { Database, ObjectRow } from '../../../src/db/schema.ts';
import * as slots from '../../../src/db/slots.ts';
import { object } from './rows.ts';

const PENDING = { status: 'pending_upload', size: null, sha256: null, uploaded_at: null, slot_until: 100 } as const;
const CONTENT = { sha256: 'aa', size: 3 };

export function describeSlots(db: () => Database): void {
  const pending = async (tenant: string, id: string, more: Partial<ObjectRow> = {}) => {
    await insertObject(db(), object(tenant, id, { ...PENDING, ...more }));
    return { tenant, id };
  };
  const rowOf = async ({ tenant, id }: { tenant: string; id: string }) => findObject(db(), tenant, id);
  const isReferenced = (tenant: string) => contents.isReferenced(db(), { tenant, sha256: 'aa' });

  describe('slots', () => {
    it('refer to their content from when it came, and are uploaded once', async () => {
      const slot = await pending('filled', 'filled-1');
      await slots.markArrived(db(), slot, CONTENT, 50);
      expect(await rowOf(slot)).toMatchObject({ ...CONTENT, status: 'pending_upload', slot_until: 50 });
      expect(await isReferenced('filled')).toBe(true);
      await expect(slots.markArrived(db(), slot, CONTENT, 51)).rejects.toMatchObject({ code: 'not_found' });
      await slots.markUploaded(db(), slot.id, 60);
      expect(await rowOf(slot)).toMatchObject({ status: 'uploaded', uploaded_at: 60, slot_until: null });
      await expect(slots.markUploaded(db(), slot.id, 61)).rejects.toMatchObject({ code: 'not_found' });
      await slots.markFailed(db(), slot);
      expect(await slots.deleteUnfilled(db(), slot, 70)).toBeUndefined();
      expect(await rowOf(slot)).toMatchObject({ status: 'uploaded', uploaded_at: 60 });
      const refs = db().selectFrom('contents').select('refs').where('tenant', '=', 'filled');
      expect(await refs.execute()).toEqual([{ refs: 1 }]);
    });

    it('are not uploaded before their content came', async () => {
      const slot = await pending('early', 'early-1');
      await expect(slots.markUploaded(db(), slot.id, 60)).rejects.toMatchObject({ code: 'not_found' });
    });

    it('let their content go when they fail', async () => {
      const slot = await pending('failed', 'failed-1');
      await slots.markArrived(db(), slot, CONTENT, 50);
      await slots.markFailed(db(), slot);
      expect(await rowOf(slot)).toMatchObject({ status: 'error_state', size: null, sha256: null, slot_until: null });
      expect(await isReferenced('failed')).toBe(false);
    });

    it('are due for what they hold once they are deleted, and let their content go', async () => {
      const slot = await pending('gone', 'gone-1');
      await slots.markArrived(db(), slot, CONTENT, 50);
      expect(await slots.deleteUnfilled(db(), { tenant: 'another', id: slot.id }, 55)).toBeUndefined();
      expect(await slots.deleteUnfilled(db(), slot, 60)).toMatchObject({ sha256: 'aa', orphaned: true });
      expect(await rowOf(slot)).toMatchObject({ status: 'deleted', deleted_at: 60, slot_until: 60 });
      await slots.markEmptied(db(), slot.id);
      expect(await rowOf(slot)).toMatchObject({ status: 'deleted', slot_until: null });
      const failed = await pending('gone', 'gone-2', { status: 'error_state', slot_until: null });
      expect(await slots.deleteUnfilled(db(), failed, 61)).toBeNull();
      expect(await rowOf(failed)).toMatchObject({ status: 'deleted', slot_until: null });
    });

    it('come up when they are due, those first that wait longest, and later when they are put off', async () => {
      for (const [n, until] of [30, 10, 20, 99].entries()) await pending('due', `due-${n}`, { slot_until: -until });
      const due = async (now: number) => (await slots.dueSlots(db(), now, 10)).map(({ id }) => id);
      expect(await due(-20)).toEqual(['due-3', 'due-0', 'due-2']);
      await slots.postpone(db(), 'due-3', -1);
      await slots.forgetSlot(db(), 'due-0');
      expect(await due(-20)).toEqual(['due-2']);
      expect(await slots.dueSlots(db(), -1, 1)).toHaveLength(1);
    });

    it('count downloads, change who sees them, and are found whoever asks', async () => {
      await insertObject(db(), object('seen', 'seen-1', { path: 'caf\udce9' }));
      await Promise.all(Array.from({ length: 5 }, () => slots.countDownload(db(), 'seen-1')));
      const changed = await slots.setVisibility(db(), 'seen', 'seen-1', 'public');
      expect(changed).toMatchObject({ visibility: 'public', downloads: 5, path: 'caf\udce9' });
      expect(await findAnyObject(db(), 'seen-1')).toEqual(changed);
      expect(await slots.setVisibility(db(), 'another', 'seen-1', 'private')).toBeNull();
      expect(await findAnyObject(db(), 'seen-2')).toBeNull();
    });
  });
}
