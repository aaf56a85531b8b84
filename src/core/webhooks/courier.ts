import type { Database } from '../../db/schema.ts';
import {
  bookAttempts,
  findWebhook,
  listDue,
  listWaiting,
  removeUnwanted,
  type StoredWebhook,
  trimAnnouncements,
} from '../../db/webhooks.ts';
import type { TenantId } from '../../ids.ts';
import { whileClaimed } from '../claim.ts';
import type { CoreMetrics } from '../core-parts.ts';
import { type AttemptParts, attempt } from './attempts.ts';

/** Brings to webhooks what waits for them. Each webhook is visited by one process at a time. */
export interface Courier {
  /** Visits a tenant's webhook as soon as there is a turn. Returns at once. */
  wake(tenant: TenantId): void;
  /** Looks for what is due, in whichever process it was written, and keeps what waits within bounds. */
  look(): Promise<void>;
  /** Begins nothing more; what is being sent has a second to be answered, else another process or the next sends it again. */
  close(): Promise<void>;
}

export interface CourierParts extends AttemptParts {
  readonly db: Database;
  readonly instance: string;
  readonly metrics: Pick<CoreMetrics, 'announced'>;
}

/** Webhooks visited at once by this process, and events on their way to one of them. */
const VISITS_AT_ONCE = 64;
const SENT_AT_ONCE = 4;
/** Who has more to be told after so long goes to the end of the line. */
const VISIT_MS = 5000;
const MAX_LINE = 10_000;
const TENANTS_A_LOOK = 500;
/** Events that wait for one webhook; beyond that the oldest are given up. */
const MAX_WAITING = 10_000;
const CLOSE_MS = 1000;

export function openCourier(parts: CourierParts): Courier {
  const closing = new AbortController();
  const line = new Set<TenantId>();
  const underWay = new Map<TenantId, Promise<void>>();
  let isClosed = false;
  let lookedAt = '';

  function wake(tenant: TenantId): void {
    if (isClosed || line.size >= MAX_LINE) return;
    line.add(tenant);
    callNext();
  }

  function callNext(): void {
    for (const tenant of line) {
      if (isClosed || underWay.size >= VISITS_AT_ONCE) return;
      // It is visited once more after the visit that is under way.
      if (underWay.has(tenant)) continue;
      line.delete(tenant);
      underWay.set(tenant, visited(tenant));
    }
  }

  async function visited(tenant: TenantId): Promise<void> {
    try {
      const isThereMore = await visit(parts, tenant, closing.signal, () => isClosed);
      if (isThereMore && !isClosed) line.add(tenant);
    } catch (error) {
      parts.log.error({ err: error, tenant }, 'a webhook could not be visited; it is tried again');
    } finally {
      underWay.delete(tenant);
      callNext();
    }
  }

  return {
    wake,

    async look() {
      const page = { after: lookedAt, limit: TENANTS_A_LOOK, now: parts.clock().getTime() };
      const waiting = await listWaiting(parts.db, page);
      lookedAt = waiting.length < TENANTS_A_LOOK ? '' : (waiting.at(-1)?.tenant ?? '');
      for (const { tenant, hasWebhook, isDue } of waiting) {
        // The column was filled from ids of this kind.
        if (isDue) wake(tenant as TenantId);
        if (hasWebhook) parts.metrics.announced('lost', await trimAnnouncements(parts.db, tenant, MAX_WAITING));
        else await removeUnwanted(parts.db, tenant);
      }
    },

    async close() {
      isClosed = true;
      const timer = setTimeout(() => closing.abort(), CLOSE_MS);
      await Promise.all(underWay.values());
      clearTimeout(timer);
    },
  };
}

/** Sends what is due unless another process is at it or the webhook rests. True where more is due. */
async function visit(
  parts: CourierParts,
  tenant: TenantId,
  signal: AbortSignal,
  isClosed: () => boolean,
): Promise<boolean> {
  if (!isAwake(await findWebhook(parts.db, tenant), parts.clock())) return false;
  const visited = await whileClaimed(parts, `webhooks/${tenant}`, async () => {
    const began = performance.now();
    while (!isClosed() && performance.now() - began < VISIT_MS) {
      if (!(await sendSome(parts, tenant, signal))) return false;
    }
    return true;
  });
  return visited?.result ?? false;
}

function isAwake(webhook: StoredWebhook | null, now: Date): webhook is StoredWebhook {
  return webhook !== null && webhook.rest_until <= now.getTime();
}

/** Sends what is due next. False where nothing is, or the webhook is to rest. */
async function sendSome(parts: CourierParts, tenant: TenantId, signal: AbortSignal): Promise<boolean> {
  const { db, clock, log, metrics } = parts;
  const webhook = await findWebhook(db, tenant);
  if (!isAwake(webhook, clock())) return false;
  // A receiver that failed is tried with one event before it is sent many.
  const batch = await listDue(db, tenant, clock().getTime(), webhook.failures > 0 ? 1 : SENT_AT_ONCE);
  if (batch.length === 0) return false;
  const attempts = await attempt(parts, webhook, batch, signal);
  const { received, again, lost, failure } = attempts;
  await bookAttempts(db, tenant, clock().getTime(), attempts);
  metrics.announced('received', received.length);
  metrics.announced('failed', again.length + lost.length);
  metrics.announced('lost', lost.length);
  if (failure !== null && webhook.failures === 0) log.warn({ tenant, reason: failure.sentence }, 'a webhook fails');
  return received.length > 0;
}
