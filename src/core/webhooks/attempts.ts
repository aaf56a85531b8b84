import type { Clock } from '../../clock.ts';
import type { Attempts, StoredAnnouncement, StoredWebhook } from '../../db/webhooks.ts';
import { toFsError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Web } from '../../web/web.ts';
import type { Sealer } from '../core-parts.ts';
import { EVENT_PAUSE, PATIENCE_MS, pauseMs, WEBHOOK_PAUSE } from './patience.ts';
import { openSecret } from './secret.ts';
import { signatureOf } from './signature.ts';

export interface AttemptParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly web: Pick<Web, 'post'>;
  readonly seals: Sealer;
}

/** What came of one attempt; null where it was cut off before anything did. */
type Outcome = { readonly received: true } | { readonly received: false; readonly reason: string } | null;

/** Sends announcements to their webhook, all at once, and says what came of it. What `signal` cuts off counts for nothing. */
export async function attempt(
  parts: AttemptParts,
  webhook: StoredWebhook,
  batch: readonly StoredAnnouncement[],
  signal: AbortSignal,
): Promise<Attempts> {
  const outcomes = await Promise.all(batch.map((announcement) => sent(parts, webhook, announcement, signal)));
  const received: string[] = [];
  const again: { id: string; dueAt: number }[] = [];
  const lost: string[] = [];
  let reason: string | null = null;
  const now = parts.clock().getTime();
  for (const [n, announcement] of batch.entries()) {
    const outcome = outcomes[n] ?? null;
    if (outcome === null) continue;
    if (outcome.received) received.push(announcement.id);
    else {
      reason = outcome.reason;
      const dueAt = now + pauseMs(EVENT_PAUSE, announcement.attempts + 1, Math.random());
      if (dueAt > announcement.created_at + PATIENCE_MS) lost.push(announcement.id);
      else again.push({ id: announcement.id, dueAt });
    }
  }
  const restUntil = now + pauseMs(WEBHOOK_PAUSE, webhook.failures + 1, Math.random());
  return { received, again, lost, failure: reason === null ? null : { sentence: reason, restUntil } };
}

async function sent(
  { clock, log, web, seals }: AttemptParts,
  { tenant, url, secret }: StoredWebhook,
  { id, type, body }: StoredAnnouncement,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    const headers = {
      'content-type': 'application/json',
      'x-workspaced-event': type,
      'x-workspaced-event-id': id,
      'x-workspaced-signature': signatureOf(body, openSecret(seals, tenant, secret), clock()),
    };
    const status = await web.post(url, { headers, body }, signal);
    if (status >= 200 && status < 300) return { received: true };
    return { received: false, reason: `${new URL(url).host} answered ${status}${hintOf(status)}` };
  } catch (error) {
    if (signal.aborted) return null;
    const known = toFsError(error);
    if (known.code === 'internal') log.error({ err: error, tenant, event: id }, 'an event could not be sent');
    return { received: false, reason: known.message };
  }
}

function hintOf(status: number): string {
  return status >= 300 && status < 400 ? '; redirects are not followed' : '';
}
