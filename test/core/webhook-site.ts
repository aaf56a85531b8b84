import type { EventType, FileObject, Webhook } from '../../src/core/core.ts';
import type { TenantId } from '../../src/ids.ts';
import { ACME, bodyOf, coreSite, grantOf, type OneCore } from '../support/core.ts';
import type { DatabaseKind } from '../support/databases.ts';
import { HOOK_SECRET, type Receiver, startReceiver } from '../support/receiver.ts';

const EVERY_TYPE: readonly EventType[] = ['file.created', 'run.started', 'run.finished', 'quota.warning'];
export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;

/** A core with the tenant acme, a receiver, and a clock that only the test moves. */
export interface WebhookSite extends AsyncDisposable {
  readonly one: OneCore;
  readonly receiver: Receiver;
  now(): Date;
  /** Another process over the same root and database, which sends to this receiver or another. */
  open(web?: Receiver['web']): Promise<OneCore>;
  /** Puts the webhook of a tenant; by default it is told of everything. */
  listens(wanted?: ListenWanted): Promise<{ readonly created: boolean }>;
  state(tenant?: TenantId): Promise<Webhook>;
  makesFile(name: string, wanted?: { readonly by?: OneCore; readonly tenant?: TenantId }): Promise<FileObject>;
  /** Lets time go by, and what is due then be looked for. */
  pass(ms: number): Promise<void>;
}

interface ListenWanted {
  readonly url?: string;
  readonly events?: readonly EventType[];
  readonly secret?: string;
  readonly tenant?: TenantId;
}

/** @param messageMs how long an attempt waits for an answer */
export async function webhookSite(kind: DatabaseKind, messageMs: number): Promise<WebhookSite> {
  let now = Date.parse('2026-01-15T09:30:00.000Z');
  const receiver = await startReceiver(messageMs);
  const site = await coreSite(kind);
  const open = (web = receiver.web) => site.open({ clock: () => new Date(now), web, severalProcesses: true });
  const one = await open();
  await one.core.tenants.admit(ACME);
  return {
    one,
    receiver,
    open,
    now: () => new Date(now),
    listens: ({ url = receiver.url, events = EVERY_TYPE, secret = HOOK_SECRET, tenant = ACME } = {}) =>
      one.core.webhooks.put(grantOf(tenant), { url, events, secret }),
    state: (tenant = ACME) => one.core.webhooks.get(grantOf(tenant)),
    async makesFile(name, { by = one, tenant = ACME } = {}) {
      const received = await by.core.objects.receive(tenant, bodyOf(name), { maxBytes: 1e6 });
      const about = { purpose: 'knowledge', userId: 'u1', agentId: null, sessionId: null } as const;
      return received.keep(grantOf(tenant), { filename: name, ...about });
    },
    async pass(ms) {
      now += ms;
      await one.core.sweep();
    },
    async [Symbol.asyncDispose]() {
      await site[Symbol.asyncDispose]();
      await receiver.close();
    },
  };
}
