import type { RawBuilder } from 'kysely';
import type { Database } from './schema.ts';

export interface OpenOptions {
  /** 'fsync' (the default): what is reported done survives a power cut. 'none': it survives a crash of the process. */
  readonly durability?: 'fsync' | 'none';
  /** Told of failures that belong to no query, such as an idle connection that broke. */
  readonly onError?: (error: Error) => void;
  /** How long to wait for another process that writes; default 10 s. */
  readonly busyTimeoutMs?: number;
  /** After how long an open transaction without a statement is rolled back; default 30 s. */
  readonly idleTransactionMs?: number;
}

export interface OpenedDatabase {
  readonly db: Database;
  /** True where processes on other machines can work on the same database. */
  readonly shared: boolean;
  /** Finishes what is under way and lets go. */
  close(): Promise<void>;
  /** @throws unavailable where the database does not answer, or takes no writes */
  ping(): Promise<void>;
}

/** What a driver gives: an opened database, and how its tables are written. */
export interface OpenedDriver extends OpenedDatabase {
  readonly types: ColumnTypes;
  /** Lets no other process change the schema until the transaction ends, however long that takes. */
  lockSchema(tx: Database): Promise<void>;
}

/** What differs between databases in a table's definition; each driver brings its own. */
export interface ColumnTypes {
  /** Text that compares byte by byte in UTF-8. */
  readonly text: RawBuilder<unknown>;
  /** 64-bit. */
  readonly integer: RawBuilder<unknown>;
  readonly bytes: RawBuilder<unknown>;
  /** What stands after the columns of a table. */
  readonly tableEnd: RawBuilder<unknown>;
}

/** One step forward. There is no way back: a step is never changed once it was released. */
export interface Migration {
  /** Sorts after every earlier one. */
  readonly name: string;
  up(db: Database, types: ColumnTypes): Promise<void>;
}
