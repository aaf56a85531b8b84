import type { ColumnType } from 'kysely';

type Count = ColumnType<number, number | undefined, number>;

/** Where a tenant wants to be told of events, and how that goes. */
export interface WebhookRow {
  tenant: string;
  url: string;
  /** Sealed; see auth/seal.ts. */
  secret: string;
  /** The types of events wanted, each with a space before and behind it: ` file.created run.finished `. */
  events: string;
  created_at: number;
  updated_at: number;
  /** Attempts that failed since the last that did not. */
  failures: Count;
  /** Nothing is sent before this. */
  rest_until: Count;
  last_success_at: number | null;
  last_failure_at: number | null;
  /** A sentence for whoever looks after the receiver. */
  last_failure: string | null;
  /** Announcements that were given up. */
  lost: Count;
}

/** An event that a tenant's webhook is still to be told of. */
export interface AnnouncementRow {
  tenant: string;
  /** Sorts by the time of making. */
  id: string;
  type: string;
  /** What is sent, byte for byte the same in every attempt. */
  body: string;
  created_at: number;
  /** When it is sent next. */
  due_at: number;
  attempts: Count;
}
