import type { TenantId } from '../../src/ids.ts';
import { DATABASES } from '../support/databases.ts';
import { HOOK_SECRET, startReceiver } from '../support/receiver.ts';
import { until } from '../support/wait.ts';
import { MINUTE, webhookSite } from './webhook-site.ts';

/** Short for a test, and long for a machine that is busy. */
const MESSAGE_MS = 1500;

// What a receiver does is nothing to the database.
describe.each(DATABASES.slice(0, 1))('webhooks and receivers that do not answer, on $name', (kind) => {
  it('bring each event to one that fails, times out and comes back, signed and under one id', async () => {
    await using site = await webhookSite(kind, MESSAGE_MS);
    const { receiver, state, pass } = site;
    await site.listens();
    const answers = [500, 'silence', 302, 200] as const;
    receiver.answer = () => answers[receiver.messages.length - 1] ?? 200;
    const file = await site.makesFile('report.pdf');
    for (const words of ['hooks.example:\\d+ answered 500$', 'took too long to answer', '302; redirects']) {
      await until(async () => new RegExp(words).test((await state()).lastFailure?.reason ?? ''), words);
      expect(await state()).toMatchObject({ pending: 1, lost: 0, lastSuccessAt: null });
      await pass(20 * MINUTE);
    }
    await until(async () => (await state()).pending === 0, 'nothing waits');
    expect(await state()).toMatchObject({
      lastSuccessAt: site.now(),
      lastFailure: { at: new Date(site.now().getTime() - 20 * MINUTE) },
    });
    expect(receiver.messages).toHaveLength(4);
    expect(new Set(receiver.messages.map(({ body }) => body)).size).toBe(1);
    for (const message of receiver.messages) {
      expect([message.isSignedWith(HOOK_SECRET), message.isSignedWith(`${HOOK_SECRET}.`)]).toEqual([true, false]);
      expect(message.headers['x-workspaced-event-id']).toBe(message.event.id);
    }
    const signatures = receiver.messages.map(({ headers }) => String(headers['x-workspaced-signature']));
    expect(new Set(signatures.map((signature) => /t=(\d+)/.exec(signature)?.[1])).size).toBe(4);
    expect(receiver.messages[0]?.event).toMatchObject({ type: 'file.created', tenant: 'acme', data: { id: file.id } });
  });

  it('hold up nobody else, and get one message at a time while they fail', async () => {
    await using site = await webhookSite(kind, MESSAGE_MS);
    const { receiver, state, one } = site;
    await site.listens();
    const slow = ['slow-1', 'slow-2', 'slow-3'].map((name) => name as TenantId);
    for (const tenant of slow) {
      await one.core.tenants.admit(tenant);
      await site.listens({ tenant });
    }
    receiver.answer = ({ event }) => (event.tenant === 'acme' ? 200 : 'silence');
    for (const tenant of slow) for (let n = 0; n < 6; n += 1) await site.makesFile(`${n}`, { tenant });
    expect(receiver.messages.length).toBeLessThanOrEqual(slow.length * 4);
    await site.makesFile('urgent');
    await until(() => receiver.received.length === 1, 'the urgent event');
    for (const tenant of slow) await until(async () => (await state(tenant)).lastFailure !== null, 'a failure');
    const before = receiver.messages.length;
    await site.pass(2 * MINUTE);
    await until(() => receiver.messages.length > before, 'another attempt');
    expect(receiver.messages.length - before).toBeLessThanOrEqual(slow.length);
  });

  it('keep no process from stopping: what is being sent is sent again by the next', async () => {
    await using site = await webhookSite(kind, MESSAGE_MS);
    const { receiver, state } = site;
    const patient = await startReceiver(60_000);
    try {
      const stopping = await site.open(patient.web);
      patient.answer = () => 'silence';
      await site.listens({ url: patient.url });
      await site.makesFile('a', { by: stopping });
      await until(() => patient.messages.length === 1, 'a message');
      const began = performance.now();
      await stopping.close();
      expect(performance.now() - began).toBeLessThan(15_000);
      expect(await state()).toMatchObject({ pending: 1, lost: 0 });
      await site.listens();
      await until(() => receiver.received.length === 1, 'the event');
      expect(receiver.received[0]?.body).toBe(patient.messages[0]?.body);
    } finally {
      await patient.close();
    }
  });
});
