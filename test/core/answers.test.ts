import { sql } from 'kysely';
import type { AnswerClaim, EarlierAnswer, FirstWork } from '../../src/core/core.ts';
import { removeInstance } from '../../src/db/instances.ts';
import { ACME, coreSite, failure, grantOf, type OneCore, singleCore } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

const BODY = { hash: 'h', bytes: 3 };
const DAY_MS = 24 * 3600 * 1000;

const claimed = (one: OneCore, key = 'key', bound: Parameters<typeof grantOf>[1] = {}, call = 'POST /x') =>
  one.core.answers.claim(grantOf(ACME, bound), key, call);

function first(claim: AnswerClaim): FirstWork {
  if ('first' in claim) return claim.first;
  throw new Error('it was not the first');
}

function earlier(claim: AnswerClaim): EarlierAnswer {
  if ('earlier' in claim) return claim.earlier;
  throw new Error('it was the first');
}

async function done(one: OneCore, answer: string, key?: string): Promise<void> {
  const work = first(await claimed(one, key));
  await work.begin(BODY);
  await work.keep(answer);
}

for (const kind of DATABASES) {
  describe(`answers on ${kind.name}`, () => {
    it('are given to the same key, call and body, by every process', async () => {
      await using site = await coreSite(kind);
      const [one, other] = [await site.open(), await site.open({ severalProcesses: true })];
      await one.core.tenants.admit(ACME);
      await done(one, 'the answer');
      for (const process of [one, other]) {
        const { body, answerTo } = earlier(await claimed(process));
        expect([body, answerTo(BODY)]).toEqual([BODY, 'the answer']);
        for (const different of [null, { ...BODY, hash: 'i' }]) {
          expect(await failure(Promise.try(answerTo, different))).toMatchObject({ code: 'conflict' });
        }
        expect(await failure(claimed(process, 'key', {}, 'POST /y'))).toMatchObject({ code: 'conflict' });
      }
    });

    it('are of one first among many in two processes', async () => {
      await using site = await coreSite(kind);
      const cores = [await site.open({ severalProcesses: true }), await site.open({ severalProcesses: true })];
      await cores[0]?.core.tenants.admit(ACME);
      const claims = cores.flatMap((one) => Array.from({ length: 10 }, () => claimed(one).catch((error) => error)));
      const outcomes = await Promise.all(claims);
      expect(outcomes.filter((outcome) => 'first' in outcome)).toHaveLength(1);
      const refused = outcomes.filter((outcome) => !('first' in outcome));
      expect(refused).toHaveLength(19);
      for (const error of refused) expect(error).toMatchObject({ code: 'conflict', detail: { retryAfterSeconds: 1 } });
    });

    it('are each credential’s own', async () => {
      await using one = await singleCore(kind);
      await done(one, 'mine');
      for (const bound of [{ subject: 'another' }, { user: 'u1' }, { tenant: 'globex' as typeof ACME }]) {
        expect(await claimed(one, 'key', bound)).toHaveProperty('first');
      }
      expect(await claimed(one, 'key')).toHaveProperty('earlier');
    });

    it('cannot be read in the database', async () => {
      await using one = await singleCore(kind);
      await done(one, 'a very secret answer', 'a very secret key');
      const { rows } = await sql<Record<string, unknown>>`select * from answers`.execute(one.db);
      expect(JSON.stringify(rows)).not.toContain('secret');
      const [row] = rows;
      // Nor with what the base64 stands for.
      expect(Buffer.from(String(row?.answer), 'base64').includes('secret')).toBe(false);
      expect(earlier(await claimed(one, 'a very secret key')).answerTo(BODY)).toBe('a very secret answer');
    });

    it('that are too large stay done, without being repeated', async () => {
      await using one = await singleCore(kind);
      await done(one, 'x'.repeat(256 * 1024), 'fits');
      await done(one, 'x'.repeat(256 * 1024 + 1), 'large');
      expect(earlier(await claimed(one, 'fits')).answerTo(BODY)).toHaveLength(256 * 1024);
      const { answerTo } = earlier(await claimed(one, 'large'));
      expect(await failure(Promise.try(answerTo, BODY))).toMatchObject({
        code: 'conflict',
        message: expect.stringContaining('could not be kept'),
      });
    });

    it('are kept for a day from the answer on, and then forgotten', async () => {
      let now = Date.UTC(2026, 0, 1);
      await using one = await singleCore(kind, { clock: () => new Date(now) });
      const work = first(await claimed(one));
      now += 3600_000;
      await work.begin(BODY);
      await work.keep('slow');
      now += DAY_MS - 1;
      expect(earlier(await claimed(one)).answerTo(BODY)).toBe('slow');
      now += 1;
      expect(await claimed(one)).toHaveProperty('first');
      now += DAY_MS;
      await one.core.sweep();
      const { rows } = await sql<{ n: number }>`select count(*) as n from answers`.execute(one.db);
      expect(Number(rows[0]?.n)).toBe(0);
    });

    it('of a process that died are free before the body was there, and refused after', async () => {
      await using site = await coreSite(kind);
      const [dying, living] = [
        await site.open({ severalProcesses: true }),
        await site.open({ severalProcesses: true }),
      ];
      await living.core.tenants.admit(ACME);
      const receiving = first(await claimed(dying, 'receiving'));
      await first(await claimed(dying, 'working')).begin(BODY);
      expect(await failure(claimed(living, 'receiving'))).toMatchObject({ detail: { retryAfterSeconds: 1 } });
      await removeInstance(living.db, dying.instance);
      await first(await claimed(living, 'receiving')).keep('by another');
      const refused = await failure(claimed(living, 'working'));
      expect(refused).toMatchObject({ code: 'conflict', message: expect.stringContaining('crash') });
      expect(refused).not.toMatchObject({ detail: { retryAfterSeconds: expect.anything() } });
      // One that was only taken for dead learns of it before it does anything.
      expect(await failure(receiving.begin(BODY))).toMatchObject({ code: 'conflict' });
    });
  });
}
