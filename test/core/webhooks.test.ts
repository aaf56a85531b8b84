import { openSeals } from '../../src/auth/seal.ts';
import { announcer } from '../../src/core/webhooks/announcer.ts';
import { sealSecret } from '../../src/core/webhooks/secret.ts';
import { inTransaction } from '../../src/db/transaction.ts';
import type { TenantId } from '../../src/ids.ts';
import { ACME, failure, grantOf } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';
import { HOOK_SECRET, type Receiver } from '../support/receiver.ts';
import { until } from '../support/wait.ts';
import { DAY, MINUTE, type WebhookSite, webhookSite } from './webhook-site.ts';

describe.each(DATABASES)('webhooks on $name', (kind) => {
  let site: WebhookSite;
  let receiver: Receiver;
  beforeEach(async () => {
    // Longer than a busy machine takes to answer: only the receiver decides what fails.
    site = await webhookSite(kind, 10_000);
    receiver = site.receiver;
  });
  afterEach(() => site[Symbol.asyncDispose]());

  it('are told nothing of what was undone, of other tenants, or of what they did not ask for', async () => {
    const { one } = site;
    await site.listens({ events: ['run.started'] });
    await site.makesFile('not asked for');
    const other = 'other' as TenantId;
    await one.core.tenants.admit(other);
    await site.makesFile('not theirs', { tenant: other });
    await site.listens({ events: ['file.created'] });
    const woken: string[] = [];
    const announce = announcer({ clock: site.now, wake: (tenant) => void woken.push(tenant) });
    const undone = inTransaction(one.db, async (tx) => {
      await announce(tx, ACME, 'file.created', () => ({}));
      throw new Error('undone');
    });
    expect(await failure(undone)).toMatchObject({ message: 'undone' });
    expect([woken, await one.db.selectFrom('announcements').selectAll().execute()]).toEqual([[], []]);
    await inTransaction(one.db, (tx) => announce(tx, ACME, 'file.created', () => ({})));
    expect(woken).toEqual([ACME]);
    await site.pass(0);
    await until(() => receiver.received.length === 1, 'the one event');
  });

  it('get what another process wrote and did not send, and each event normally once from two of them', async () => {
    const two = await site.open();
    await site.listens();
    const names = Array.from({ length: 30 }, (_, n) => `file ${n}`);
    await Promise.all(names.map((name, n) => site.makesFile(name, { by: n % 2 === 0 ? site.one : two })));
    await until(async () => {
      await site.pass(0);
      return (await site.state()).pending === 0;
    }, 'nothing waits');
    expect(receiver.received.map(({ event }) => event.data.filename).sort()).toEqual([...names].sort());
    expect(new Set(receiver.received.map(({ event }) => event.id)).size).toBe(names.length);
  });

  it('are signed with the new secret from the change on, and get what waits at once', async () => {
    const { db } = site.one;
    await site.listens();
    receiver.answer = () => 503;
    await site.makesFile('a');
    await until(async () => (await site.state()).lastFailure !== null, 'a failure');
    receiver.answer = () => 200;
    const secret = 'another-secret-and-newer';
    expect((await site.listens({ secret })).created).toBe(false);
    await until(() => receiver.received.length === 1, 'the event');
    expect(receiver.messages.map((message) => [HOOK_SECRET, secret].map(message.isSignedWith))).toEqual([
      [true, false],
      [false, true],
    ]);
    const { secret: kept } = await db.selectFrom('webhooks').select('secret').executeTakeFirstOrThrow();
    expect(kept).not.toContain(secret);
    // What was sealed with another key signs nothing here.
    const foreign = sealSecret(openSeals([{ id: 'k1', secret: 'f'.repeat(32) }]), ACME, secret);
    await db.updateTable('webhooks').set({ secret: foreign }).execute();
    await site.makesFile('b');
    const reason = async () => (await site.state()).lastFailure?.reason ?? '';
    await until(async () => (await reason()).includes('signing key that is not there'), 'a refusal');
    expect(receiver.messages).toHaveLength(2);
  });

  it('give up after a day of trying, and say so', async () => {
    await site.listens();
    receiver.answer = () => 410;
    await site.makesFile('a');
    await until(async () => (await site.state()).lastFailure !== null, 'a failure');
    await site.pass(DAY + MINUTE);
    await until(async () => (await site.state()).lost === 1, 'the end');
    expect(await site.state()).toMatchObject({ pending: 0, lost: 1, lastSuccessAt: null });
    expect(receiver.messages).toHaveLength(2);
  });

  it('have at most ten thousand events waiting, the newest, and none once they are gone', async () => {
    const { db, core } = site.one;
    await site.listens();
    const now = site.now().getTime();
    await db
      .updateTable('webhooks')
      .set({ rest_until: now + DAY })
      .execute();
    const event = { tenant: ACME, type: 'file.created', body: '{}', created_at: now, due_at: now };
    const events = Array.from({ length: 10_003 }, (_, n) => ({ ...event, id: `evt_${String(n).padStart(6, '0')}` }));
    while (events.length > 0) await db.insertInto('announcements').values(events.splice(0, 1000)).execute();
    await db
      .insertInto('announcements')
      .values({ ...event, id: 'evt_1', tenant: 'nobody' })
      .execute();
    await site.pass(0);
    expect(await site.state()).toMatchObject({ pending: 10_000, lost: 3 });
    const first = db.selectFrom('announcements').select(['tenant', 'id']).orderBy('id').limit(1);
    expect(await first.execute()).toEqual([{ tenant: ACME, id: 'evt_000003' }]);
    await core.webhooks.remove(grantOf());
    expect(await db.selectFrom('announcements').select('id').execute()).toEqual([]);
    expect(await failure(site.state())).toMatchObject({ code: 'not_found' });
  });
});
