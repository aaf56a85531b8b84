import type { Clock } from '../../clock.ts';
import type { Database } from '../../db/schema.ts';
import { onCommit } from '../../db/transaction.ts';
import { insertAnnouncement, wantsEvent } from '../../db/webhooks.ts';
import { makeEventId, type TenantId } from '../../ids.ts';
import type { EventData } from './event-data.ts';
import type { EventType } from './webhook-types.ts';

/**
 * Has the tenant's webhook told that something happened, if it wants to know: written in the transaction of what happened, so
 * that neither is there without the other, and sent once that is committed. `tell` is asked only where there is such a webhook.
 */
export type Announce = (
  transaction: Database,
  tenant: TenantId,
  type: EventType,
  tell: () => EventData | Promise<EventData>,
) => Promise<void>;

/** @param wake sends what is due to a tenant's webhook */
export function announcer({ clock, wake }: { readonly clock: Clock; wake(tenant: TenantId): void }): Announce {
  return async (transaction, tenant, type, tell) => {
    if (!(await wantsEvent(transaction, tenant, type))) return;
    const now = clock();
    const id = makeEventId();
    const event = { id, type, created_at: now.toISOString(), tenant, data: await tell() };
    const body = JSON.stringify(event);
    await insertAnnouncement(transaction, { tenant, id, type, body, created_at: now.getTime() });
    onCommit(transaction, () => wake(tenant));
  };
}
