import type { Clock } from '../../clock.ts';
import type { Database } from '../../db/schema.ts';
import type { Log } from '../../log.ts';
import type { DataRoot } from '../../tree/root.ts';
import type { CoreMetrics } from '../core-parts.ts';
import type { News } from '../feeds/news.ts';
import type { Contents } from '../objects/contents.ts';
import type { OnKept } from '../objects/object-types.ts';
import type { InnerObjects } from '../objects/objects.ts';
import type { Quota } from '../quota.ts';
import type { Agents } from '../tenancy-types.ts';
import type { InnerVolumes } from '../volumes.ts';

/** What uploads are made of. */
export interface UploadParts {
  readonly db: Database;
  readonly root: DataRoot;
  readonly clock: Clock;
  readonly instance: string;
  readonly log: Log;
  readonly metrics: Pick<CoreMetrics, 'swept'>;
  readonly quota: Quota;
  readonly news: News;
  readonly agents: Pick<Agents, 'get'>;
  readonly volumes: InnerVolumes;
  readonly contents: Contents;
  readonly objects: Pick<InnerObjects, 'find' | 'register'>;
  readonly onKept: OnKept;
}
