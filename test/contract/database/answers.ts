import * as answers from '../../../src/db/answers.ts';
import { registerInstance, removeInstance } from '../../../src/db/instances.ts';
import { removeTenantRows } from '../../../src/db/removal.ts';
import type { Database } from '../../../src/db/schema.ts';

const PLENTY = { answers: 100, bytes: 1000 };

export function describeAnswers(db: () => Database): void {
  let claims = 0;
  const wanted = (tenant: string, key: string, now = 1) => {
    const claim = `c${++claims}`;
    return {
      keyHash: `${tenant}/${key}`,
      tenant,
      claim,
      instance: 'living',
      callHash: 'call',
      now,
      expiresAt: now + 10,
    };
  };
  const counts = async (tenant: string) =>
    db().selectFrom('answer_counts').select(['answers', 'bytes']).where('tenant', '=', tenant).executeTakeFirst();

  describe('answers', () => {
    beforeAll(async () => {
      const process = { host: 'h', pid: 1, process_start: '1', started_at: 1, lease_until: 10 };
      for (const id of ['living', 'dying']) await registerInstance(db(), { ...process, id });
    });
    afterAll(() => removeInstance(db(), 'living'));

    it('have one claim of many at once', async () => {
      const all = Array.from({ length: 20 }, () => wanted('once', 'k'));
      const outcomes = await Promise.all(all.map((one) => answers.claimAnswer(db(), one, PLENTY)));
      expect(outcomes.filter((found) => found === null)).toHaveLength(1);
      const winner = all[outcomes.indexOf(null)];
      for (const found of outcomes) if (found !== null) expect(found.claim).toBe(winner?.claim);
      expect(await counts('once')).toEqual({ answers: 1, bytes: 0 });
    });

    it('are kept for the claim that began, and given to the next', async () => {
      const first = wanted('kept', 'k');
      await answers.claimAnswer(db(), first, PLENTY);
      const inWork = await answers.claimAnswer(db(), wanted('kept', 'k'), PLENTY);
      expect(inWork).toMatchObject({ claim: first.claim, bodyHash: null, answer: null, isOwned: true });
      expect(await answers.beginAnswer(db(), first, { hash: 'h', bytes: 7 })).toBe(true);
      await answers.keepAnswer(db(), first, 'answer', 50);
      const found = await answers.claimAnswer(db(), wanted('kept', 'k', 40), PLENTY);
      expect(found).toMatchObject({ callHash: 'call', bodyHash: 'h', bodyBytes: 7, answer: 'answer', expiresAt: 50 });
      expect(await counts('kept')).toEqual({ answers: 1, bytes: 6 });
    });

    it('are free again when they are dropped, expire, or their process died before the body was there', async () => {
      const dropped = wanted('free', 'dropped');
      await answers.claimAnswer(db(), dropped, PLENTY);
      await answers.dropAnswer(db(), dropped);
      expect(await answers.claimAnswer(db(), wanted('free', 'dropped'), PLENTY)).toBeNull();
      const old = wanted('free', 'old');
      await answers.claimAnswer(db(), old, PLENTY);
      expect(await answers.claimAnswer(db(), wanted('free', 'old', 10), PLENTY)).not.toBeNull();
      expect(await answers.claimAnswer(db(), wanted('free', 'old', 11), PLENTY)).toBeNull();
      const [idle, busy] = [wanted('free', 'idle'), wanted('free', 'busy')];
      for (const one of [idle, busy]) await answers.claimAnswer(db(), { ...one, instance: 'dying' }, PLENTY);
      await answers.beginAnswer(db(), busy, { hash: 'h', bytes: 1 });
      await removeInstance(db(), 'dying');
      expect(await answers.claimAnswer(db(), wanted('free', 'idle'), PLENTY)).toBeNull();
      expect(await answers.claimAnswer(db(), wanted('free', 'busy'), PLENTY)).toMatchObject({ isOwned: false });
      expect(await counts('free')).toEqual({ answers: 4, bytes: 0 });
    });

    it('take nothing from a claim that was lost', async () => {
      const [lost, next] = [wanted('lost', 'k'), wanted('lost', 'k', 20)];
      await answers.claimAnswer(db(), lost, PLENTY);
      expect(await answers.claimAnswer(db(), next, PLENTY)).toBeNull();
      expect(await answers.beginAnswer(db(), lost, { hash: 'h', bytes: 1 })).toBe(false);
      await answers.keepAnswer(db(), lost, 'answer', 99);
      await answers.dropAnswer(db(), lost);
      const found = await answers.claimAnswer(db(), wanted('lost', 'k', 20), PLENTY);
      expect(found).toMatchObject({ claim: next.claim, answer: null });
      expect(await counts('lost')).toEqual({ answers: 1, bytes: 0 });
    });

    it('are bounded in number and size for each tenant', async () => {
      const few = { answers: 3, bytes: 10 };
      const claimed = await Promise.allSettled(
        Array.from({ length: 8 }, (_, n) => answers.claimAnswer(db(), wanted('few', `k${n}`), few)),
      );
      expect(claimed.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
      for (const outcome of claimed) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'rate_limited' });
      }
      expect(await counts('few')).toEqual({ answers: 3, bytes: 0 });
      const large = wanted('large', 'k');
      await answers.claimAnswer(db(), large, few);
      await answers.keepAnswer(db(), large, 'x'.repeat(10), 99);
      await expect(answers.claimAnswer(db(), wanted('large', 'l'), few)).rejects.toMatchObject({
        code: 'rate_limited',
      });
      expect(await answers.claimAnswer(db(), wanted('large', 'k'), few)).toMatchObject({ bodyBytes: 0 });
    });

    it('are purged when their time is over, some at a time, and no longer counted', async () => {
      const last = wanted('purged', 'last', 1000);
      const others = Array.from({ length: 4 }, (_, n) => wanted('purged', `k${n}`, 1000 + n));
      for (const one of [...others, last]) await answers.claimAnswer(db(), one, PLENTY);
      await answers.keepAnswer(db(), last, 'answer', 2000);
      while ((await answers.purgeAnswers(db(), 1000, 50)) > 0); // those of the other tests
      expect(await answers.purgeAnswers(db(), 1012, 2)).toBe(2);
      expect(await answers.purgeAnswers(db(), 1012, 2)).toBe(1);
      expect(await answers.purgeAnswers(db(), 1012, 2)).toBe(0);
      expect(await counts('purged')).toEqual({ answers: 2, bytes: 6 });
      expect(await answers.purgeAnswers(db(), 2000, 9)).toBe(2);
      expect(await counts('purged')).toEqual({ answers: 0, bytes: 0 });
    });

    it('go with their tenant', async () => {
      await answers.claimAnswer(db(), wanted('gone', 'k'), PLENTY);
      await removeTenantRows(db(), 'gone');
      expect(await counts('gone')).toBeUndefined();
      expect(await answers.claimAnswer(db(), wanted('gone', 'k'), PLENTY)).toBeNull();
    });
  });
}
