import type { z } from 'zod';
import type { Core } from '../../../core/core.ts';
import type { Route } from '../../call.ts';
import type { Dialect } from '../../dialect.ts';
import { encodeWebhook, webhookBody, webhookObject } from './wire.ts';

/** The one webhook of the tenant that the credential is of. */
export function webhooksDialect(): Dialect {
  return { name: 'webhooks', mounts: [''], routes: (core) => [put(core), get(core), remove(core)] };
}

const MISSING = { description: 'The tenant has no webhook.' };

function put(core: Core): Route {
  return {
    method: 'PUT',
    path: '/v1/webhooks',
    name: 'webhooks.put',
    summary: 'Have an address told of events, or change the address, the events or the secret.',
    access: 'admin',
    body: webhookBody,
    bodyKinds: ['json'],
    replies: {
      200: { description: 'Changed; what waits goes to the new address.', schema: webhookObject },
      201: { description: 'Made.', schema: webhookObject },
      400: { description: 'A URL that is not https, an unknown event, or a secret that is too short.' },
      403: { description: 'The URL leads to a private address.' },
    },
    handle: async (call) => {
      const wanted = await call.json<z.infer<typeof webhookBody>>();
      const { webhook, created } = await core.webhooks.put(call.grant, wanted);
      return { status: created ? 201 : 200, json: encodeWebhook(webhook) };
    },
  };
}

function get(core: Core): Route {
  return {
    method: 'GET',
    path: '/v1/webhooks',
    name: 'webhooks.get',
    summary: 'The webhook without its secret, and how it is doing.',
    access: 'admin',
    replies: { 200: { description: 'The webhook.', schema: webhookObject }, 404: MISSING },
    handle: async (call) => ({ status: 200, json: encodeWebhook(await core.webhooks.get(call.grant)) }),
  };
}

function remove(core: Core): Route {
  return {
    method: 'DELETE',
    path: '/v1/webhooks',
    name: 'webhooks.delete',
    summary: 'Remove the webhook and all that waits for it.',
    access: 'admin',
    replies: { 204: { description: 'It is gone.' }, 404: MISSING },
    handle: async (call) => {
      await core.webhooks.remove(call.grant);
      return { status: 204, empty: true };
    },
  };
}
