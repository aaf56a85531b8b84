import type { ColumnType, Kysely } from 'kysely';
import type { ContentRow, ObjectRow, UploadRow } from './object-schema.ts';
import type { JournalRow, LiveRunRow, ManifestRow, OutputRow, RunRow, SeedRow } from './run-schema.ts';
import type { AnnouncementRow, WebhookRow } from './webhook-rows.ts';

export type * from './object-schema.ts';
export type * from './run-schema.ts';

/**
 * The tables, the same on every database. Times are epoch milliseconds, truths are 0 and 1, sizes are bytes; all are
 * JavaScript numbers (exact to 2^53). A path column holds `pathKey` text, so every name on disk fits (see db/path-key.ts).
 */
export interface Schema {
  tenants: TenantRow;
  agents: AgentRow;
  keys: KeyRow;
  usage: UsageRow;
  holds: HoldRow;
  instances: InstanceRow;
  locks: LockRow;
  objects: ObjectRow;
  contents: ContentRow;
  uploads: UploadRow;
  texts: TextRow;
  attributes: AttributeRow;
  tags: TagRow;
  runs: RunRow;
  live_runs: LiveRunRow;
  seeds: SeedRow;
  journal: JournalRow;
  manifest: ManifestRow;
  outputs: OutputRow;
  feeds: FeedRow;
  changes: ChangeRow;
  watches: WatchRow;
  answers: AnswerRow;
  answer_counts: AnswerCountRow;
  meter: MeterRow;
  webhooks: WebhookRow;
  announcements: AnnouncementRow;
}

export type Database = Kysely<Schema>;

type Defaulted<T> = ColumnType<T, T | undefined, T>;

export interface TenantRow {
  id: string;
  status: 'active' | 'deleted';
  created_at: number;
}

/** One workspace of one agent. */
export interface AgentRow {
  tenant: string;
  id: string;
  /** The user whose workspace it is, from the first run on; null while free. */
  user_id: string | null;
  shared: number;
  lifecycle: 'persistent' | 'ephemeral';
  /** Seconds after the last activity, or null. */
  expires_after: number | null;
  created_at: number;
  active_at: number;
}

export interface KeyRow {
  id: string;
  tenant: string;
  /** sha256 of the key, hex. The key itself is kept nowhere. */
  hash: string;
  /** Space-separated, or null for the default. */
  scope: string | null;
  agent: string | null;
  created_at: number;
  revoked_at: number | null;
}

/**
 * One account. `part` is '' for the tenant as a whole, else 'store', 'objects' or 'workspace/<agent>'; what is charged to a
 * part is charged to '' in the same transaction.
 */
export interface UsageRow {
  tenant: string;
  part: string;
  bytes: Defaulted<number>;
  files: Defaulted<number>;
  reserved_bytes: Defaulted<number>;
  reserved_files: Defaulted<number>;
  /** 0 = no limit. */
  limit_bytes: Defaulted<number>;
  limit_files: Defaulted<number>;
  /** 1 when a recount of the disk is owed before the next write. */
  recount: Defaulted<number>;
  /** Goes up with every change of bytes or files. */
  version: Defaulted<number>;
}

/** What one holder has reserved on one part. Of a process it is also the mark that it wrote there, so a crash is followed by a recount. */
export interface HoldRow {
  /** A daemon process, or what is kept over the end of processes: see core/standing-room.ts. */
  instance: string;
  tenant: string;
  part: string;
  bytes: Defaulted<number>;
  files: Defaulted<number>;
}

/** A daemon process. It owns staged files, reservations, locks and unfinished runs while its lease is renewed. */
export interface InstanceRow {
  id: string;
  /** Which boot of which machine and process namespace; see host.ts. */
  host: string;
  pid: number;
  process_start: string;
  started_at: number;
  lease_until: number;
}

export interface LockRow {
  name: string;
  instance: string;
  /** Goes up with every new holder: the fencing token. */
  token: number;
  until: number;
}

/** What is known of the text of a content, read as a document of one format. It goes with the content. */
export interface TextRow {
  tenant: string;
  sha256: string;
  /** A name in documents/formats.ts: the same bytes may be read as another. */
  format: string;
  /** Of the reading; what another one said is asked for again. */
  version: number;
  /** The text in UTF-8, deflated; null where there is none. */
  text: Uint8Array | null;
  /** Why there is none, or not all of it; null where it is whole. */
  reason: 'unreadable' | 'costly' | null;
  read_at: number;
}

/** What a client says of a path: tags and custom metadata. `part` as in usage. */
export interface AttributeRow {
  tenant: string;
  part: string;
  /** As in the manifest. */
  path_hash: string;
  path: string;
  tags: string;
  metadata: string;
}

/** One tag of a path; comes and goes with the path's row in `attributes`. */
export interface TagRow {
  /** Of the tag as JSON: see db/tags.ts. */
  tag_hash: string;
  tenant: string;
  part: string;
  /** How `path` begins. */
  place: string;
  path_hash: string;
  path: string;
}

/** The numbering of one volume's changes. There is one only where somebody has asked for them. `part` as in usage. */
export interface FeedRow {
  tenant: string;
  part: string;
  /** Another one for each feed that is begun, so that a number of one means nothing in another. */
  epoch: string;
  /** The number of the next change, from 1. It goes up in the transaction that writes the change. */
  next: number;
  /** When somebody last asked; long after that, the feed goes. */
  asked_at: number;
}

/** One change, as its volume's feed tells it. The numbers of a feed have no gaps but at their beginning. */
export interface ChangeRow {
  tenant: string;
  part: string;
  seq: number;
  type: 'created' | 'modified' | 'deleted' | 'moved' | 'resync';
  path: string;
  /** Where a moved entry was before, else null. */
  from_path: string | null;
  is_dir: number;
  /** Of a file or link that is there; else null. */
  size: number | null;
  /** Entry.version of what is there; null where nothing is. */
  version: string | null;
  origin: 'api' | 'disk';
  at: number;
}

/** A daemon process that watches a volume's tree for what others do in it, and tells its feed. */
export interface WatchRow {
  instance: string;
  tenant: string;
  part: string;
}

/** A request that came with an Idempotency-Key, and its answer once there is one. */
export interface AnswerRow {
  /** sha256 of whose key it is and of the key, base64url. */
  key_hash: string;
  tenant: string;
  /** Which request it is that works, or worked, on it. */
  claim: string;
  /** The process of that request. */
  instance: string;
  /** sha256 of the call without its body, base64url. */
  call_hash: string;
  /** Of the body; null until the whole of it had arrived, and nothing is done before. */
  body_hash: ColumnType<string | null, string | null | undefined, string | null>;
  body_bytes: Defaulted<number>;
  /** Sealed (auth/seal.ts); null while in work, '' where it cannot be repeated. */
  answer: ColumnType<string | null, string | null | undefined, string | null>;
  answer_bytes: Defaulted<number>;
  expires_at: number;
}

/** How many rows of `answers` a tenant has, and what their answers hold together. */
export interface AnswerCountRow {
  tenant: string;
  answers: Defaulted<number>;
  bytes: Defaulted<number>;
}

/**
 * What was transferred in one day: by the whole tenant, by one user, by one agent, or by an agent for a user. A request is
 * added to each row that it belongs to, so any of them is read without adding up others.
 */
export interface MeterRow {
  tenant: string;
  /** '' for all users, and for none. */
  user_id: string;
  agent_id: string;
  /** `2026-01-15`, in UTC; '' for all days that are too old to be kept one by one. */
  day: string;
  uploads: Defaulted<number>;
  downloads: Defaulted<number>;
  bytes_in: Defaulted<number>;
  bytes_out: Defaulted<number>;
  /** What the ledger said of the tenant when this row last changed; null in every other row. */
  bytes: number | null;
  files: number | null;
}
