import { type Selectable, sql } from 'kysely';
import type { Database } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { AnnouncementRow, WebhookRow } from './webhook-rows.ts';

export type StoredWebhook = Selectable<WebhookRow>;
export type StoredAnnouncement = Selectable<AnnouncementRow>;

/** What a tenant says of its webhook. `secret` is sealed. */
export interface WebhookWanted {
  readonly tenant: string;
  readonly url: string;
  readonly secret: string;
  readonly events: readonly string[];
}

/** Makes or changes the webhook; what waits for it is due at once. True when it was made. */
export async function putWebhook(db: Database, wanted: WebhookWanted, now: number): Promise<boolean> {
  const { tenant, url, secret } = wanted;
  const told = { url, secret, events: ` ${wanted.events.join(' ')} `, updated_at: now };
  return inTransaction(db, async (tx) => {
    await tx.updateTable('announcements').set({ due_at: now }).where('tenant', '=', tenant).execute();
    const changed = await tx
      .updateTable('webhooks')
      .set({ ...told, failures: 0, rest_until: 0 })
      .where('tenant', '=', tenant)
      .executeTakeFirst();
    if (changed.numUpdatedRows > 0n) return false;
    // Of two that make it at once the later one changes what the first one made.
    await tx
      .insertInto('webhooks')
      .values({ ...told, tenant, created_at: now })
      .onConflict((conflict) => conflict.column('tenant').doUpdateSet(told))
      .execute();
    return true;
  });
}

export async function findWebhook(db: Database, tenant: string): Promise<StoredWebhook | null> {
  return (await db.selectFrom('webhooks').selectAll().where('tenant', '=', tenant).executeTakeFirst()) ?? null;
}

/** The webhook goes with all that waits for it. False where there was none. */
export async function removeWebhook(db: Database, tenant: string): Promise<boolean> {
  return inTransaction(db, async (tx) => {
    await tx.deleteFrom('announcements').where('tenant', '=', tenant).execute();
    return (await tx.deleteFrom('webhooks').where('tenant', '=', tenant).executeTakeFirst()).numDeletedRows > 0n;
  });
}

/** Whether the tenant has a webhook that is to be told of events of this type. */
export async function wantsEvent(db: Database, tenant: string, type: string): Promise<boolean> {
  const wanting = db.selectFrom('webhooks').select('tenant').where('tenant', '=', tenant);
  return (await wanting.where('events', 'like', `% ${type} %`).executeTakeFirst()) !== undefined;
}

export async function insertAnnouncement(
  db: Database,
  announcement: Omit<StoredAnnouncement, 'attempts' | 'due_at'>,
): Promise<void> {
  await db
    .insertInto('announcements')
    .values({ ...announcement, due_at: announcement.created_at })
    .execute();
}

/** How many wait for the tenant's webhook. */
export async function countAnnouncements(db: Database, tenant: string): Promise<number> {
  const count = db.selectFrom('announcements').select(({ fn }) => fn.countAll<number>().as('count'));
  return (await count.where('tenant', '=', tenant).executeTakeFirstOrThrow()).count;
}

/** Those that are due, longest due first. */
export async function listDue(
  db: Database,
  tenant: string,
  now: number,
  limit: number,
): Promise<readonly StoredAnnouncement[]> {
  return db
    .selectFrom('announcements')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('due_at', '<=', now)
    .orderBy('due_at')
    .orderBy('id')
    .limit(limit)
    .execute();
}

/** A tenant for whom something waits. */
export interface WaitingTenant {
  readonly tenant: string;
  /** True where something could be sent now: it is due, and the webhook does not rest. False where there is no webhook any more. */
  readonly isDue: boolean;
  readonly hasWebhook: boolean;
}

/**
 * The tenants for whom something waits, of those after `after`. One look at an index for each, however much waits: each step
 * finds the next tenant.
 */
export async function listWaiting(
  db: Database,
  { after, limit, now }: { readonly after: string; readonly limit: number; readonly now: number },
): Promise<readonly WaitingTenant[]> {
  const { rows } = await sql<{ tenant: string; rests: number | null; due: number }>`
    with recursive waiting (tenant, n) as (
      select min(tenant), 1 from announcements where tenant > ${after}
      union all
      select (select min(tenant) from announcements where announcements.tenant > waiting.tenant), n + 1
      from waiting where waiting.tenant is not null and n < ${limit}
    )
    select waiting.tenant as tenant, webhooks.rest_until as rests,
      (select min(due_at) from announcements where announcements.tenant = waiting.tenant) as due
    from waiting left join webhooks on webhooks.tenant = waiting.tenant
    where waiting.tenant is not null`.execute(db);
  return rows.map(({ tenant, rests, due }) => ({
    tenant,
    hasWebhook: rests !== null,
    isDue: rests !== null && rests <= now && due <= now,
  }));
}

/** What came of attempts to tell a webhook. */
export interface Attempts {
  /** Ids of announcements that were received. */
  readonly received: readonly string[];
  /** Those that are to be tried again, and when. */
  readonly again: readonly { readonly id: string; readonly dueAt: number }[];
  /** Ids of those that are given up. */
  readonly lost: readonly string[];
  /** Of the last attempt that failed; null where none did. */
  readonly failure: { readonly sentence: string; readonly restUntil: number } | null;
}

/** Books attempts on announcements and their webhook. */
export async function bookAttempts(db: Database, tenant: string, now: number, attempts: Attempts): Promise<void> {
  const { received, again, lost, failure } = attempts;
  await inTransaction(db, async (tx) => {
    const over = [...received, ...lost];
    if (over.length > 0) {
      await tx.deleteFrom('announcements').where('tenant', '=', tenant).where('id', 'in', over).execute();
    }
    for (const { id, dueAt } of again) {
      await tx
        .updateTable('announcements')
        .set(({ eb }) => ({ due_at: dueAt, attempts: eb('attempts', '+', 1) }))
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .execute();
    }
    await tx
      .updateTable('webhooks')
      .set(({ eb }) => ({
        lost: eb('lost', '+', lost.length),
        ...(received.length === 0 ? {} : { last_success_at: now, failures: 0, rest_until: 0 }),
        ...(failure === null ? {} : { last_failure_at: now, last_failure: failure.sentence }),
        ...(failure === null || received.length > 0
          ? {}
          : { failures: eb('failures', '+', 1), rest_until: failure.restUntil }),
      }))
      .where('tenant', '=', tenant)
      .execute();
  });
}

/** Removes the oldest of what waits for a webhook beyond the newest `kept`, and books it as lost. Returns how many went. */
export async function trimAnnouncements(db: Database, tenant: string, kept: number): Promise<number> {
  const of = db.selectFrom('announcements').select('id').where('tenant', '=', tenant);
  const newestOver = await of.orderBy('id', 'desc').offset(kept).limit(1).executeTakeFirst();
  if (newestOver === undefined) return 0;
  return inTransaction(db, async (tx) => {
    const trimmed = await tx
      .deleteFrom('announcements')
      .where('tenant', '=', tenant)
      .where('id', '<=', newestOver.id)
      .executeTakeFirst();
    const count = Number(trimmed.numDeletedRows);
    await tx
      .updateTable('webhooks')
      .set(({ eb }) => ({ lost: eb('lost', '+', count) }))
      .where('tenant', '=', tenant)
      .execute();
    return count;
  });
}

/** Removes what waits for a webhook that is not there any more. */
export async function removeUnwanted(db: Database, tenant: string): Promise<void> {
  await db
    .deleteFrom('announcements')
    .where('tenant', '=', tenant)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('webhooks').select('tenant').where('tenant', '=', tenant))),
    )
    .execute();
}
