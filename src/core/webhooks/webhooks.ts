import { demand, type Grant } from '../../auth/grant.ts';
import type { Clock } from '../../clock.ts';
import type { Database } from '../../db/schema.ts';
import * as rows from '../../db/webhooks.ts';
import { FsError } from '../../errors.ts';
import type { TenantId } from '../../ids.ts';
import type { Web } from '../../web/web.ts';
import type { Sealer } from '../core-parts.ts';
import { sealSecret } from './secret.ts';
import { EVENT_TYPES, type Webhook, type Webhooks } from './webhook-types.ts';

export interface WebhooksParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly web: Pick<Web, 'demandPostable'>;
  readonly seals: Sealer;
  /** Sends what is due to a tenant's webhook. */
  wake(tenant: TenantId): void;
}

export function openWebhooks({ db, clock, web, seals, wake }: WebhooksParts): Webhooks {
  async function get({ tenant }: Grant): Promise<Webhook> {
    const row = await rows.findWebhook(db, tenant);
    if (row === null) throw noWebhook();
    return toWebhook(row, await rows.countAnnouncements(db, tenant));
  }

  return {
    async put(grant, { url, events, secret }) {
      demand(grant, 'admin');
      web.demandPostable(url);
      const { tenant } = grant;
      const sealed = sealSecret(seals, tenant, secret);
      const row = { tenant, url, events: [...new Set(events)], secret: sealed };
      const created = await rows.putWebhook(db, row, clock().getTime());
      wake(tenant);
      return { webhook: await get(grant), created };
    },

    async get(grant) {
      demand(grant, 'admin');
      return get(grant);
    },

    async remove(grant) {
      demand(grant, 'admin');
      if (!(await rows.removeWebhook(db, grant.tenant))) throw noWebhook();
    },
  };
}

function toWebhook(row: rows.StoredWebhook, pending: number): Webhook {
  const { last_failure_at: failedAt, last_failure: reason, last_success_at: succeededAt } = row;
  return {
    url: row.url,
    events: EVENT_TYPES.filter((type) => row.events.includes(` ${type} `)),
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
    pending,
    lost: row.lost,
    lastSuccessAt: succeededAt === null ? null : new Date(succeededAt),
    lastFailure: failedAt === null || reason === null ? null : { at: new Date(failedAt), reason },
  };
}

function noWebhook(): FsError {
  return new FsError('not_found', 'this tenant has no webhook');
}
