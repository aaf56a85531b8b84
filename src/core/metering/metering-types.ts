import type { Grant } from '../../auth/grant.ts';
import type { AgentId, TenantId } from '../../ids.ts';
import type { Count } from '../../tree/entry.ts';
import type { Usage } from '../tenancy-types.ts';

/** What requests moved. */
export interface Transfers {
  /** Files that came in whole, by requests that were answered with success. */
  readonly uploads: number;
  /** Answers that served a file, or a part of one. */
  readonly downloads: number;
  /** Bytes of bodies, whatever became of the request. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A user, an agent, both (what the agent did for the user), or neither: the tenant as a whole. */
export interface Whose {
  readonly userId: string | null;
  readonly agentId: AgentId | null;
}

/** One request that has ended. */
export interface Transfer extends Transfers, Whose {
  readonly tenant: TenantId;
}

/** What is held now, and what was transferred since the beginning. */
export interface UsageReport extends Usage, Transfers {}

/** A day of UTC as `2026-01-15`. */
export type Day = string & { readonly __day: true };

/** What was moved in a day, and what was held at its end. */
export interface UsageDay extends Transfers {
  readonly day: Day;
  /** What the tenant held at the end of the day; null where that is not known, and in the days of a user or an agent. */
  readonly stored: Count | null;
}

/** From one day to another, both included. */
export interface Days {
  readonly from: Day;
  readonly to: Day;
}

/** What a tenant, its users and its agents hold and have transferred. */
export interface Metering {
  /** Adds one request to its day: at once and in memory; the database has it about a second later. */
  count(transfer: Transfer): void;
  /** What this process has counted is in it; what others have, a second later. @throws forbidden for another user than the grant's */
  report(grant: Grant, whose: Whose): Promise<UsageReport>;
  /** Every day that is asked for, up to today; at most 400. @throws forbidden, invalid_request */
  days(grant: Grant, whose: Whose, days: Partial<Days>): Promise<readonly UsageDay[]>;
}
