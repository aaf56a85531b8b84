import { z } from 'zod';
import type { Webhook } from '../../../core/core.ts';
import { EVENT_TYPES } from '../../../core/webhooks/webhook-types.ts';
import { timestamp } from '../../verbs/shapes.ts';

const MIN_SECRET = 16;
const MAX_SECRET = 256;

const events = z
  .array(z.enum(EVENT_TYPES, { error: `an event is one of ${EVENT_TYPES.join(', ')}` }))
  .min(1)
  .max(100)
  .describe('What it is told of.');

const url = z.string().describe('Where events are posted to.').meta({ example: 'https://hooks.example/workspaced' });

export const webhookBody = z.object({
  url,
  events,
  secret: z
    .string()
    .regex(new RegExp(`^[!-~]{${MIN_SECRET},${MAX_SECRET}}$`), {
      error: `it is ${MIN_SECRET} to ${MAX_SECRET} printable characters without spaces, and hard to guess`,
    })
    .describe('What signs the events. It is not shown again.')
    .meta({ example: 'the output of openssl rand -hex 32' }),
});

export const webhookObject = z.object({
  url,
  events,
  created_at: timestamp,
  updated_at: timestamp,
  pending: z.number().int().describe('Events that are still to be told.'),
  lost: z.number().int().describe('Events given up, after a day or because too many waited.'),
  last_success_at: timestamp.nullable(),
  last_failure: z.object({ at: timestamp, reason: z.string() }).nullable(),
});

export function encodeWebhook(webhook: Webhook): z.infer<typeof webhookObject> {
  const { lastSuccessAt, lastFailure } = webhook;
  return {
    url: webhook.url,
    events: [...webhook.events],
    created_at: webhook.createdAt.toISOString(),
    updated_at: webhook.updatedAt.toISOString(),
    pending: webhook.pending,
    lost: webhook.lost,
    last_success_at: lastSuccessAt?.toISOString() ?? null,
    last_failure: lastFailure === null ? null : { at: lastFailure.at.toISOString(), reason: lastFailure.reason },
  };
}
