import { openSeals } from '../../src/auth/seal.ts';
import type { EventType } from '../../src/core/core.ts';
import { announcer } from '../../src/core/webhooks/announcer.ts';
import { inTransaction } from '../../src/db/transaction.ts';
import type { TenantId } from '../../src/ids.ts';
import { ACME, bodyOf, type CoreSite, coreSite, failure, grantOf, type OneCore } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';
import { HOOK_SECRET, type Receiver, startReceiver } from '../support/receiver.ts';
import { until } from '../support/wait.ts';

const ALL: readonly EventType[] = ['file.created', 'run.started', 'run.finished', 'quota.warning'];
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

describe.each(DATABASES)('webhooks on $name', (kind) => {
  let receiver: Receiver;
  let site: CoreSite;
  let one: OneCore;
  let now: number;
  const open = () => site.open({ clock: () => new Date(now), web: receiver.web, severalProcesses: true });

  beforeEach(async () => {
    now = Date.parse('2026-01-15T09:30:00.000Z');
    receiver = await startReceiver();
    site = await coreSite(kind);
    one = await open();
    await one.core.tenants.admit(ACME);
  });
  afterEach(async () => {
    await site[Symbol.asyncDispose]();
    await receiver.close();
  });

  const listens = (events = ALL, secret = HOOK_SECRET, tenant = ACME) =>
    one.core.webhooks.put(grantOf(tenant), { url: receiver.url, events, secret });
  const state = (tenant = ACME) => one.core.webhooks.get(grantOf(tenant));
  const typesOf = () => receiver.received.map(({ event }) => event.type);

  async function makesFile(name: string, { by = one, tenant = ACME }: { by?: OneCore; tenant?: TenantId } = {}) {
    const received = await by.core.objects.receive(tenant, bodyOf(name), { maxBytes: 1e6 });
    const about = { purpose: 'knowledge', userId: 'u1', agentId: null, sessionId: null } as const;
    return received.keep(grantOf(tenant), { filename: name, ...about });
  }

  /** Lets time go by, and what is due then be looked for. */
  async function pass(ms: number): Promise<void> {
    now += ms;
    await one.core.sweep();
  }

  it('bring each event to a receiver that fails, times out and comes back, signed and under one id', async () => {
    await listens();
    const answers = [500, 'silence', 302, 200] as const;
    receiver.answer = () => answers[receiver.messages.length - 1] ?? 200;
    const file = await makesFile('report.pdf');
    for (const [n, words] of [
      'hooks.example:\\d+ answered 500',
      'took too long to answer',
      '302; redirects',
    ].entries()) {
      await until(async () => (await state()).lastFailure?.reason.match(words) != null, `attempt ${n + 1}`);
      expect(await state()).toMatchObject({ pending: 1, lost: 0, lastSuccessAt: null });
      await pass(20 * MINUTE);
    }
    await until(async () => (await state()).pending === 0, 'nothing waits');
    expect(await state()).toMatchObject({ lastSuccessAt: new Date(now), lastFailure: { reason: /302/ } });
    expect(receiver.messages).toHaveLength(4);
    expect(new Set(receiver.messages.map(({ body }) => body)).size).toBe(1);
    for (const message of receiver.messages) {
      expect([message.isSignedWith(HOOK_SECRET), message.isSignedWith(`${HOOK_SECRET}.`)]).toEqual([true, false]);
      expect(message.headers['x-workspaced-event-id']).toBe(message.event.id);
    }
    const signedAt = receiver.messages.map(
      ({ headers }) => /t=(\d+)/.exec(String(headers['x-workspaced-signature']))?.[1],
    );
    expect(new Set(signedAt).size).toBe(4);
    expect(receiver.messages[0]?.event).toMatchObject({ type: 'file.created', tenant: ACME, data: { id: file.id } });
  });

  it('are told nothing of what was undone, of other tenants, or of what they did not ask for', async () => {
    await listens(['run.started']);
    await makesFile('not asked for');
    await one.core.tenants.admit('other' as TenantId);
    await makesFile('not theirs', { tenant: 'other' as TenantId });
    await listens(['file.created']);
    const woken: string[] = [];
    const announce = announcer({ clock: () => new Date(now), wake: (tenant) => void woken.push(tenant) });
    const undone = inTransaction(one.db, async (tx) => {
      await announce(tx, ACME, 'file.created', () => ({}));
      throw new Error('undone');
    });
    expect(await failure(undone)).toMatchObject({ message: 'undone' });
    expect([woken, await one.db.selectFrom('announcements').selectAll().execute()]).toEqual([[], []]);
    await inTransaction(one.db, (tx) => announce(tx, ACME, 'file.created', () => ({})));
    expect(woken).toEqual([ACME]);
    await pass(0);
    await until(() => receiver.received.length === 1, 'the one event');
  });

  it('get what another process wrote and did not send, and each event normally once from two of them', async () => {
    const two = await open();
    await listens();
    const names = Array.from({ length: 30 }, (_, n) => `file ${n}`);
    await Promise.all(names.map((name, n) => makesFile(name, { by: n % 2 === 0 ? one : two })));
    await until(async () => {
      await pass(0);
      return (await state()).pending === 0;
    }, 'nothing waits');
    expect(receiver.received.map(({ event }) => event.data.filename).sort()).toEqual([...names].sort());
    expect(new Set(receiver.received.map(({ event }) => event.id)).size).toBe(names.length);
  });

  it('that are slow hold up nobody else, and get one message at a time while they fail', async () => {
    await listens();
    const slow = ['slow-1', 'slow-2', 'slow-3'].map((name) => name as TenantId);
    for (const tenant of slow) {
      await one.core.tenants.admit(tenant);
      await listens(ALL, HOOK_SECRET, tenant);
    }
    receiver.answer = ({ event }) => (event.tenant === ACME ? 200 : 'silence');
    for (const tenant of slow) for (let n = 0; n < 6; n += 1) await makesFile(`${n}`, { tenant });
    const began = receiver.messages.length;
    await makesFile('urgent');
    await until(() => typesOf().length === 1, 'the urgent event');
    expect(began).toBeLessThanOrEqual(slow.length * 4);
    for (const tenant of slow) await until(async () => (await state(tenant)).lastFailure !== null, 'a failure');
    const before = receiver.messages.length;
    now += 2 * MINUTE;
    await one.core.sweep();
    await until(() => receiver.messages.length > before, 'another attempt');
    expect(receiver.messages.length - before).toBeLessThanOrEqual(slow.length);
  });

  it('are signed with the new secret from the change on, and get what waits at once', async () => {
    await listens();
    receiver.answer = () => 503;
    await makesFile('a');
    await until(async () => (await state()).lastFailure !== null, 'a failure');
    receiver.answer = () => 200;
    const secret = 'another secret, newer';
    expect((await listens(['file.created'], secret)).created).toBe(false);
    await until(() => receiver.received.length === 1, 'the event');
    expect(receiver.received[0]?.isSignedWith(secret)).toBe(true);
    const { secret: kept } = await one.db.selectFrom('webhooks').select('secret').executeTakeFirstOrThrow();
    expect(kept).not.toContain(secret);
    // What was sealed with another key signs nothing here.
    const foreign = openSeals([{ id: 'k1', secret: 'f'.repeat(32) }]).seal(secret, `webhook/${ACME}`);
    await one.db.updateTable('webhooks').set({ secret: foreign }).execute();
    await makesFile('b');
    await until(
      async () => (await state()).lastFailure?.reason.includes('signing key that is not there') === true,
      'a refusal',
    );
    expect(receiver.messages).toHaveLength(2);
  });

  it('give up after a day of trying, and say so', async () => {
    await listens();
    receiver.answer = () => 410;
    await makesFile('a');
    await until(async () => (await state()).lastFailure !== null, 'a failure');
    await pass(DAY + MINUTE);
    await until(async () => (await state()).lost === 1, 'the end');
    expect(await state()).toMatchObject({ pending: 0, lost: 1 });
    expect(receiver.messages).toHaveLength(2);
  });

  it('have at most ten thousand events waiting, the newest, and none once they are gone', async () => {
    await listens();
    await one.db
      .updateTable('webhooks')
      .set({ rest_until: now + DAY })
      .execute();
    const event = { tenant: ACME, type: 'file.created', body: '{}', created_at: now, due_at: now };
    const events = Array.from({ length: 10_003 }, (_, n) => ({ ...event, id: `evt_${String(n).padStart(6, '0')}` }));
    while (events.length > 0) await one.db.insertInto('announcements').values(events.splice(0, 1000)).execute();
    await one.db
      .insertInto('announcements')
      .values({ ...event, id: 'evt_1', tenant: 'nobody' })
      .execute();
    await pass(0);
    expect(await state()).toMatchObject({ pending: 10_000, lost: 3 });
    const first = one.db.selectFrom('announcements').select(['tenant', 'id']).orderBy('id').limit(1);
    expect(await first.execute()).toEqual([{ tenant: ACME, id: 'evt_000003' }]);
    await one.core.webhooks.remove(grantOf());
    expect(await one.db.selectFrom('announcements').select('id').execute()).toEqual([]);
    expect(await failure(state())).toMatchObject({ code: 'not_found' });
  });

  it('keep no process from stopping: what is being sent is sent again by the next', async () => {
    const patient = await startReceiver(60_000);
    try {
      const stopping = await site.open({ clock: () => new Date(now), web: patient.web, severalProcesses: true });
      patient.answer = () => 'silence';
      await stopping.core.webhooks.put(grantOf(), { url: patient.url, events: ALL, secret: HOOK_SECRET });
      await makesFile('a', { by: stopping });
      await until(() => patient.messages.length === 1, 'a message');
      const began = performance.now();
      await stopping.close();
      expect(performance.now() - began).toBeLessThan(10_000);
      expect(await state()).toMatchObject({ pending: 1, lastFailure: null });
      await one.core.webhooks.put(grantOf(), { url: receiver.url, events: ALL, secret: HOOK_SECRET });
      await until(() => receiver.received.length === 1, 'the event');
      expect(receiver.received[0]?.body).toBe(patient.messages[0]?.body);
    } finally {
      await patient.close();
    }
  });
});
