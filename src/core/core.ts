import type { Answers } from './answers/answer-types.ts';
import type { Edits } from './edits/edit-types.ts';
import type { Changes } from './feeds/change-types.ts';
import type { Imports } from './import-types.ts';
import type { Metering } from './metering/metering-types.ts';
import type { Objects } from './objects/object-types.ts';
import type { Runs } from './run-types.ts';
import type { Searches } from './search/search-types.ts';
import type { Slots } from './slots/slot-types.ts';
import type { Agents, Keys, Tenants } from './tenancy-types.ts';
import type { Texts } from './texts/text-types.ts';
import type { Uploads } from './uploads/upload-types.ts';
import type { Attributes, Volumes } from './volume-types.ts';
import type { Webhooks } from './webhooks/webhook-types.ts';

export type * from './answers/answer-types.ts';
export type * from './edits/edit-types.ts';
export type * from './feeds/change-types.ts';
export type * from './import-types.ts';
export type * from './metering/metering-types.ts';
export type * from './objects/object-types.ts';
export type * from './page-types.ts';
export type * from './run-types.ts';
export type * from './search/search-types.ts';
export type * from './slots/slot-types.ts';
export type * from './tenancy-types.ts';
export type * from './texts/text-types.ts';
export type * from './uploads/upload-types.ts';
export type * from './volume-types.ts';
export type * from './webhooks/webhook-types.ts';

/** The whole product, as its nouns. Made by `openCore` in daemon.ts's order; dialects get exactly this. */
export interface Core {
  readonly tenants: Tenants;
  readonly keys: Keys;
  readonly agents: Agents;
  readonly volumes: Volumes;
  readonly attributes: Attributes;
  readonly edits: Edits;
  readonly imports: Imports;
  readonly objects: Objects;
  readonly texts: Texts;
  readonly slots: Slots;
  readonly uploads: Uploads;
  readonly runs: Runs;
  readonly searches: Searches;
  readonly changes: Changes;
  readonly answers: Answers;
  readonly usage: Metering;
  readonly webhooks: Webhooks;
}
