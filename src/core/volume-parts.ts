import type { VolumeRef } from '../auth/grant.ts';
import type { Database } from '../db/schema.ts';
import type { Home } from '../tree/root.ts';
import type { Account } from './account.ts';
import type { News } from './feeds/news.ts';
import type { Locks } from './locks.ts';
import type { Quota } from './quota.ts';
import type { Turns } from './turns.ts';

/** What a volume is made of. Only core sees it: dialects get a Volume. */
export interface VolumeParts {
  readonly ref: VolumeRef;
  readonly account: Account;
  /** The name of its path locks. */
  readonly lock: string;
  readonly home: Home;
  readonly quota: Quota;
  readonly locks: Locks;
  readonly news: News;
  /** For those who make an assembly. */
  readonly assemblies: Turns;
  readonly db: Database;
  /** Owner of what a multi-file commit keeps aside while it places. */
  readonly instance: string;
}
