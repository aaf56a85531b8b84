import type { Grant } from '../../auth/grant.ts';

/** What a webhook can be told of. */
export const EVENT_TYPES = ['file.created', 'run.started', 'run.finished', 'quota.warning'] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** What a tenant says of its webhook. */
export interface WebhookWanted {
  readonly url: string;
  readonly events: readonly EventType[];
  /** What signs; shown to nobody again. */
  readonly secret: string;
}

/** A webhook as its tenant sees it, and how it is doing. */
export interface Webhook {
  readonly url: string;
  readonly events: readonly EventType[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Events that it is still to be told. */
  readonly pending: number;
  /** Events that were given up since it was made, after a day or because too many waited. */
  readonly lost: number;
  readonly lastSuccessAt: Date | null;
  readonly lastFailure: { readonly at: Date; readonly reason: string } | null;
}

/** The one webhook of a tenant: an address that is told what happens. All of it is for `admin` of that tenant. */
export interface Webhooks {
  /**
   * Makes or replaces it; from here on no event of the types is missed, and what waits goes to the new address.
   * @throws invalid_request for a URL that is not taken, forbidden for a private address
   */
  put(grant: Grant, wanted: WebhookWanted): Promise<{ readonly webhook: Webhook; readonly created: boolean }>;
  /** @throws not_found */
  get(grant: Grant): Promise<Webhook>;
  /** What waits for it goes with it. @throws not_found */
  remove(grant: Grant): Promise<void>;
}
