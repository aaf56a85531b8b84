import * as contents from '../../../src/db/contents.ts';
import * as lists from '../../../src/db/object-lists.ts';
import * as objects from '../../../src/db/objects.ts';
import type { Database } from '../../../src/db/schema.ts';
import { object } from './rows.ts';

export function describeObjects(db: () => Database): void {
  const insert = (...row: Parameters<typeof object>) => objects.insertObject(db(), object(...row));
  const list = async (of: lists.ObjectsOf, page: Partial<lists.ObjectPage> = {}) => {
    const found = await lists.listObjects(db(), of, { after: null, limit: 10, now: 0, ...page });
    return found.map(({ id }) => id);
  };
  const kept = async (of: Parameters<typeof lists.listKept>[1], offset = 0) =>
    (await lists.listKept(db(), of, { limit: 10, offset })).map(({ id }) => id);
  const refs = async (tenant: string) => {
    const found = db().selectFrom('contents').select(['sha256', 'refs']).where('tenant', '=', tenant);
    return (await found.orderBy('sha256').execute()).map((content) => [content.sha256, content.refs]);
  };

  describe('objects', () => {
    it('come back as they were put, with any path, and to their tenant only', async () => {
      const odd = object('odd', 'odd-1', { path: 'caf\udce9/\u0001x', filename: 'a"b', size: 2 ** 40 });
      await objects.insertObject(db(), odd);
      expect(await objects.findObject(db(), 'odd', 'odd-1')).toEqual(odd);
      expect(await objects.findObject(db(), 'another', 'odd-1')).toBeNull();
      expect(await objects.findObject(db(), 'odd', 'odd-2')).toBeNull();
    });

    it('refuse an id twice and leave the content as it was', async () => {
      await insert('twice', 'twice-1');
      await expect(insert('twice', 'twice-1')).rejects.toMatchObject({ code: 'exists' });
      expect(await refs('twice')).toEqual([['aa', 1]]);
    });

    it('are listed newest first, in pages without gap or repeat, whatever their ids look like', async () => {
      const ids = ['file_1', '0-uuid', 'file_0', 'zz', 'aa'];
      for (const [n, id] of ids.entries()) await insert('paged', `paged ${id}`, { created_at: Math.min(n, 3) });
      await insert('paged', 'paged pending', { status: 'pending_upload', size: null, sha256: null, created_at: 9 });
      const newest = ['paged zz', 'paged aa', 'paged file_0', 'paged 0-uuid', 'paged file_1'];
      expect(await list({ tenant: 'paged' })).toEqual(newest);
      expect(await list({ tenant: 'paged' }, { limit: 2 })).toEqual(newest.slice(0, 2));
      const after = { createdAt: 3, id: 'paged aa' };
      expect(await list({ tenant: 'paged' }, { limit: 2, after })).toEqual(newest.slice(2, 4));
      await objects.markObjectDeleted(db(), 'paged', 'paged aa', 9);
      expect(await list({ tenant: 'paged' }, { limit: 2, after })).toEqual(newest.slice(2, 4));
      expect(await list({ tenant: 'paged' }, { after: { createdAt: 0, id: '' } })).toEqual([]);
    });

    it('are listed with those that have no content, without those that were deleted, from any offset', async () => {
      const pending = { status: 'pending_upload', size: null, sha256: null, created_at: 9, user_id: 'u' } as const;
      await insert('kept', 'kept pending', pending);
      await insert('kept', 'kept failed', { ...pending, status: 'error_state', created_at: 8, user_id: null });
      await insert('kept', 'kept gone', { created_at: 7 });
      await insert('kept', 'kept full', { created_at: 6, agent_id: 'a' });
      await objects.markObjectDeleted(db(), 'kept', 'kept gone', 9);
      const all = ['kept pending', 'kept failed', 'kept full'];
      for (const offset of [0, 1, 2, 3, 100_000]) {
        expect(await kept({ tenant: 'kept' }, offset)).toEqual(all.slice(offset));
      }
      expect(await kept({ tenant: 'kept', userId: 'u' })).toEqual(['kept pending']);
      expect(await kept({ tenant: 'kept', agentId: 'a' })).toEqual(['kept full']);
      expect(await kept({ tenant: 'kept', agentId: 'a' }, 1)).toEqual([]);
      expect(await list({ tenant: 'kept' })).toEqual(['kept full']);
    });

    it('are left out of lists when their time is over, and found by who removes them', async () => {
      await insert('ends', 'ends late', { expires_at: 20 });
      await insert('ends', 'ends early', { expires_at: 10 });
      await insert('ends', 'ends never');
      await insert('ends', 'ends unfilled', { expires_at: 5, status: 'pending_upload', size: null, sha256: null });
      expect(await list({ tenant: 'ends' }, { now: 9 })).toHaveLength(3);
      expect(await list({ tenant: 'ends' }, { now: 10 })).toEqual(['ends never', 'ends late']);
      const due = async (now: number, limit = 10) =>
        (await objects.listExpiredObjects(db(), now, limit)).flatMap(({ tenant, id }) =>
          tenant === 'ends' ? [id] : [],
        );
      expect(await due(9)).toEqual([]);
      expect(await due(20)).toEqual(['ends early', 'ends late']);
      expect(await due(20, 1)).toEqual(['ends early']);
      await objects.markObjectDeleted(db(), 'ends', 'ends early', 20);
      expect(await due(20)).toEqual(['ends late']);
    });

    it('are narrowed by user, agent, session, run and purpose together', async () => {
      const all = { user_id: 'u', agent_id: 'a', session_id: 's', run_id: 'r', purpose: 'agent_output' } as const;
      await insert('narrow', 'narrow-1', all);
      await insert('narrow', 'narrow-2', { ...all, user_id: 'v' });
      await insert('narrow', 'narrow-3', { ...all, purpose: 'knowledge', run_id: null });
      const tenant = 'narrow';
      expect(await list({ tenant, userId: 'v' })).toEqual(['narrow-2']);
      expect(await list({ tenant, agentId: 'a', userId: 'u' })).toEqual(['narrow-3', 'narrow-1']);
      expect(await list({ tenant, sessionId: 's', runId: 'r', userId: 'u' })).toEqual(['narrow-1']);
      expect(await list({ tenant, purpose: 'knowledge' })).toEqual(['narrow-3']);
      expect(await list({ tenant, purpose: 'agent_output', userId: 'v', agentId: 'a' })).toEqual(['narrow-2']);
      // A value that is empty is no value that is absent.
      expect(await list({ tenant, runId: '', userId: 'u' })).toEqual([]);
    });

    it('share a content until the last of them lets it go', async () => {
      await Promise.all(Array.from({ length: 5 }, (_, n) => insert('shared', `shared-${n}`)));
      expect(await refs('shared')).toEqual([['aa', 5]]);
      const drop = (n: number) => objects.markObjectDeleted(db(), 'shared', `shared-${n}`, 9);
      const dropped = await Promise.all([0, 1, 2, 3].map(drop));
      expect(dropped.map((one) => one?.content?.orphaned)).toEqual([false, false, false, false]);
      expect(await contents.isReferenced(db(), { tenant: 'shared', sha256: 'aa' })).toBe(true);
      expect(await contents.removeOrphan(db(), { tenant: 'shared', sha256: 'aa' })).toBe(false);
      expect(await drop(4)).toEqual({ status: 'uploaded', content: { sha256: 'aa', size: 3, orphaned: true } });
      expect(await drop(4)).toBeNull();
      expect(await objects.markObjectDeleted(db(), 'another', 'shared-4', 9)).toBeNull();
      expect(await objects.findObject(db(), 'shared', 'shared-4')).toMatchObject({ status: 'deleted', deleted_at: 9 });
      expect(await contents.listOrphans(db(), 100)).toContainEqual({ tenant: 'shared', sha256: 'aa' });
      expect(await contents.removeOrphan(db(), { tenant: 'shared', sha256: 'aa' })).toBe(true);
      expect(await contents.isReferenced(db(), { tenant: 'shared', sha256: 'aa' })).toBe(false);
    });

    it('take on other content and let the old one go', async () => {
      await insert('live', 'live-1');
      await insert('live', 'live-2');
      const bb = { sha256: 'bb', size: 7, mimeType: 'image/png' };
      expect(await objects.replaceContent(db(), 'live-1', bb)).toEqual({ sha256: 'aa', size: 3, orphaned: false });
      expect(await objects.replaceContent(db(), 'live-1', bb)).toBeNull();
      expect(await objects.replaceContent(db(), 'live-2', bb)).toMatchObject({ orphaned: true });
      expect(await refs('live')).toEqual([
        ['aa', 0],
        ['bb', 2],
      ]);
      expect(await objects.findObject(db(), 'live', 'live-1')).toMatchObject({ size: 7, mime_type: 'image/png' });
      await objects.markObjectDeleted(db(), 'live', 'live-1', 9);
      await expect(objects.replaceContent(db(), 'live-1', bb)).rejects.toMatchObject({ code: 'not_found' });
    });

    it('add up at logical size, by tenant, user and agent', async () => {
      expect(await lists.sumObjects(db(), 'sums')).toEqual({ bytes: 0, files: 0 });
      await insert('sums', 'sums-1', { size: 2 ** 40, user_id: 'u' });
      await insert('sums', 'sums-2', { size: 5, agent_id: 'a' });
      await insert('sums', 'sums-3', { size: null, sha256: null, status: 'pending_upload' });
      expect(await lists.sumObjects(db(), 'sums')).toEqual({ bytes: 2 ** 40 + 5, files: 2 });
      expect(await lists.sumObjects(db(), 'sums', { userId: 'u' })).toEqual({ bytes: 2 ** 40, files: 1 });
      expect(await lists.sumObjects(db(), 'sums', { agentId: 'a' })).toEqual({ bytes: 5, files: 1 });
      await objects.removeObjectsOf(db(), 'sums');
      expect(await lists.sumObjects(db(), 'sums')).toEqual({ bytes: 0, files: 0 });
      expect(await refs('sums')).toEqual([]);
    });
  });
}
