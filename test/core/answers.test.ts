import { sql } from 'kysely';
import { openSeals } from '../../src/auth/seal.ts';
import type { AnswerClaim, EarlierAnswer, FirstWork } from '../../src/core/core.ts';
import { removeInstance } from '../../src/db/instances.ts';
import { ACME, type CoreSite, coreSite, failure, grantOf, KEYS, type OneCore } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

const BODY = { hash: 'h', bytes: 3 };
const DAY_MS = 24 * 3600 * 1000;

const claimed = (one: OneCore, key: string, bound: Parameters<typeof grantOf>[1] = {}, call = 'POST /x') =>
  one.core.answers.claim(grantOf(ACME, bound), key, call);

function first(claim: AnswerClaim): FirstWork {
  if ('first' in claim) return claim.first;
  throw new Error('it was not the first');
}

function earlier(claim: AnswerClaim): EarlierAnswer {
  if ('earlier' in claim) return claim.earlier;
  throw new Error('it was the first');
}

async function done(one: OneCore, key: string, answer: string): Promise<void> {
  const work = first(await claimed(one, key));
  await work.begin(BODY);
  await work.keep(answer);
}

for (const kind of DATABASES) {
  describe(`answers on ${kind.name}`, () => {
    let site: CoreSite;
    let one: OneCore;
    let other: OneCore;
    let now = Date.UTC(2026, 0, 1);
    const open = () => site.open({ severalProcesses: true, clock: () => new Date(now) });
    beforeAll(async () => {
      site = await coreSite(kind);
      [one, other] = [await open(), await open()];
      await one.core.tenants.admit(ACME);
    });
    afterAll(() => site[Symbol.asyncDispose]());

    it('are given to the same key, call and body, by every process', async () => {
      await done(one, 'same', 'the answer');
      for (const process of [one, other]) {
        const { body, answerTo } = earlier(await claimed(process, 'same'));
        expect([body, answerTo(BODY)]).toEqual([BODY, 'the answer']);
        for (const different of [null, { ...BODY, hash: 'i' }]) {
          expect(await failure(Promise.try(answerTo, different))).toMatchObject({ code: 'conflict' });
        }
        expect(await failure(claimed(process, 'same', {}, 'POST /y'))).toMatchObject({ code: 'conflict' });
      }
    });

    it('are of one first among many in two processes', async () => {
      const claims = [one, other].flatMap((process) =>
        Array.from({ length: 10 }, () => claimed(process, 'rush').catch((error) => error)),
      );
      const outcomes = await Promise.all(claims);
      expect(outcomes.filter((outcome) => 'first' in outcome)).toHaveLength(1);
      const refused = outcomes.filter((outcome) => !('first' in outcome));
      expect(refused).toHaveLength(19);
      for (const error of refused) expect(error).toMatchObject({ code: 'conflict', detail: { retryAfterSeconds: 1 } });
    });

    it('are each credential’s own', async () => {
      await done(one, 'mine', 'mine');
      for (const bound of [{ subject: 'another' }, { user: 'u1' }, { tenant: 'globex' as typeof ACME }]) {
        expect(await claimed(one, 'mine', bound)).toHaveProperty('first');
      }
      expect(await claimed(one, 'mine')).toHaveProperty('earlier');
    });

    it('cannot be read in the database', async () => {
      await done(one, 'a very secret key', 'a very secret answer');
      const { rows } = await sql<{ answer: string | null }>`select * from answers`.execute(one.db);
      expect(JSON.stringify(rows)).not.toContain('secret');
      // Nor with what the base64 stands for.
      for (const { answer } of rows) expect(Buffer.from(answer ?? '', 'base64').includes('secret')).toBe(false);
      expect(earlier(await claimed(one, 'a very secret key')).answerTo(BODY)).toBe('a very secret answer');
    });

    it('pass for nothing else that is sealed, whatever the client calls its key', async () => {
      await done(one, 'webhook/acme', 'not a secret');
      const { rows } = await sql<{ answer: string | null }>`select * from answers`.execute(one.db);
      const seals = openSeals(KEYS);
      const opened = (context: string) => rows.map(({ answer }) => seals.open(answer ?? '', context));
      expect(opened('webhook/acme').every((text) => text === null)).toBe(true);
      expect(opened('answer/webhook/acme')).toContain('not a secret');
    });

    it('that are too large stay done, without being repeated', async () => {
      await done(one, 'fits', 'x'.repeat(256 * 1024));
      await done(one, 'large', 'x'.repeat(256 * 1024 + 1));
      expect(earlier(await claimed(one, 'fits')).answerTo(BODY)).toHaveLength(256 * 1024);
      const { answerTo } = earlier(await claimed(one, 'large'));
      expect(await failure(Promise.try(answerTo, BODY))).toMatchObject({
        code: 'conflict',
        message: expect.stringContaining('could not be kept'),
      });
    });

    it('of a process that died are free before the body was there, and refused after', async () => {
      const dying = await open();
      const receiving = first(await claimed(dying, 'receiving'));
      await first(await claimed(dying, 'working')).begin(BODY);
      expect(await failure(claimed(one, 'receiving'))).toMatchObject({ detail: { retryAfterSeconds: 1 } });
      await removeInstance(one.db, dying.instance);
      await first(await claimed(one, 'receiving')).keep('by another');
      const refused = await failure(claimed(one, 'working'));
      expect(refused).toMatchObject({ code: 'conflict', message: expect.stringContaining('crash') });
      expect(refused).not.toMatchObject({ detail: { retryAfterSeconds: expect.anything() } });
      // One that was only taken for dead learns of it before it does anything.
      expect(await failure(receiving.begin(BODY))).toMatchObject({ code: 'conflict' });
    });

    it('are kept for a day from the answer on, and then forgotten', async () => {
      const work = first(await claimed(one, 'slow'));
      now += 3600_000;
      await work.begin(BODY);
      await work.keep('slow');
      now += DAY_MS - 1;
      expect(earlier(await claimed(one, 'slow')).answerTo(BODY)).toBe('slow');
      now += 1;
      expect(await claimed(one, 'slow')).toHaveProperty('first');
      now += DAY_MS;
      await one.core.sweep();
      const { rows } = await sql<{ n: number }>`select count(*) as n from answers`.execute(one.db);
      expect(Number(rows[0]?.n)).toBe(0);
    });
  });
}
