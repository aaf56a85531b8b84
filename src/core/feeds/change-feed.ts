import type { Grant, VolumeRef } from '../../auth/grant.ts';
import type { Clock } from '../../clock.ts';
import { findFeed, pageChanges, type StoredChange, type StoredFeed } from '../../db/changes.ts';
import type { Database } from '../../db/schema.ts';
import { FsError } from '../../errors.ts';
import { ROOT } from '../../tree/path.ts';
import { type Account, accountOf } from '../account.ts';
import type { Change, Changes, ChangesPage, Volumes } from '../core.ts';
import { storedPath } from '../stored-path.ts';
import type { Asked, Feeds } from './feeds.ts';

export interface ChangesParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly volumes: Pick<Volumes, 'open'>;
  readonly feeds: Feeds;
}

/** How many changes a listener is given at once. */
const PAGE = 500;
/** Rows read at once, and characters of paths after which a page ends: a single change can have eight thousand. */
const ROWS_AT_ONCE = 500;
const PAGE_CHARACTERS = 512 * 1024;
/** How long a listener hears nothing before it is shown that the feed lives. */
const SIGN_OF_LIFE_MS = 15_000;
const ID = /^([0-9a-f]{12})-(0|[1-9]\d{0,14})$/;

/** A place in a feed: after this change. */
interface Position {
  readonly epoch: string;
  readonly seq: number;
}

export function openChanges(parts: ChangesParts): Changes {
  /** @throws not_found, forbidden */
  async function admit(grant: Grant, ref: VolumeRef): Promise<Account> {
    await parts.volumes.open(grant, ref, 'read');
    return accountOf(ref);
  }

  return {
    async follow(grant, ref, since, signal) {
      const from = parseId(since);
      const account = await admit(grant, ref);
      return follow(parts, await parts.feeds.listen(account, signal), from, signal);
    },

    async since(grant, ref, since, limit) {
      const from = parseId(since);
      const { feed, state } = await parts.feeds.ask(await admit(grant, ref));
      if (from === null) return nothingAfter(endOf(state));
      return (await pageAfter(parts, feed.account, from, limit)) ?? nothingAfter(endOf(state));
    },
  };
}

async function* follow(
  parts: ChangesParts,
  { feed, state }: Asked,
  from: Position | null,
  signal: AbortSignal,
): AsyncGenerator<ChangesPage> {
  let at = from ?? endOf(state);
  yield nothingAfter(at);
  while (!signal.aborted && !feed.isOver) {
    const { wakes } = feed;
    const page = await pageAfter(parts, feed.account, at, PAGE);
    if (page === null) return;
    if (page.changes.length === 0) {
      await feed.grown(wakes, SIGN_OF_LIFE_MS, signal);
      if (feed.wakes === wakes && !signal.aborted) yield page;
      continue;
    }
    at = demandId(page.next);
    yield page;
  }
}

/** What comes after a position; null where the volume has no feed any more. */
async function pageAfter(
  { db, clock }: ChangesParts,
  account: Account,
  after: Position,
  limit: number,
): Promise<ChangesPage | null> {
  const state = await findFeed(db, account);
  if (state === null) return null;
  const end = endOf(state);
  // Begun anew since, or from before the database was restored from a copy.
  if (after.epoch !== end.epoch || after.seq > end.seq) return resyncAt(end, clock());
  if (after.seq === end.seq) return nothingAfter(after);
  const rows = await rowsAfter(db, account, after.seq, limit);
  // The numbers have no gaps, so what is not there was removed: it was too old, or there were too many.
  if (rows[0]?.seq !== after.seq + 1) return resyncAt(end, clock());
  const changes = rows.map((row) => toChange(end.epoch, row));
  const next = changes.at(-1)?.id ?? formatId(after);
  return { changes, next, resync: changes.some(({ type }) => type === 'resync') };
}

/** Up to `limit` changes in order, fewer where their paths are long; those up to the first that is missing. */
async function rowsAfter(
  db: Database,
  account: Account,
  after: number,
  limit: number,
): Promise<readonly StoredChange[]> {
  const rows: StoredChange[] = [];
  let room = PAGE_CHARACTERS;
  while (rows.length < limit && room > 0) {
    const wanted = Math.min(ROWS_AT_ONCE, limit - rows.length);
    const found = await pageChanges(db, account, after + rows.length, wanted);
    for (const row of found) {
      if (room <= 0 || row.seq !== after + rows.length + 1) return rows;
      rows.push(row);
      room -= row.path.length + (row.from_path?.length ?? 0);
    }
    if (found.length < wanted) break;
  }
  return rows;
}

function endOf({ epoch, next }: StoredFeed): Position {
  return { epoch, seq: next - 1 };
}

function nothingAfter(position: Position): ChangesPage {
  return { changes: [], next: formatId(position), resync: false };
}

/** For who is to look at everything, which then includes all that the feed holds. */
function resyncAt(end: Position, at: Date): ChangesPage {
  const id = formatId(end);
  const resync: Change = {
    ...{ id, type: 'resync', path: ROOT, from: null, isDirectory: true, size: null, origin: 'disk', at },
  };
  return { changes: [resync], next: id, resync: true };
}

function toChange(epoch: string, row: StoredChange): Change {
  return {
    id: formatId({ epoch, seq: row.seq }),
    type: row.type,
    path: storedPath(row.path),
    from: row.from_path === null ? null : storedPath(row.from_path),
    isDirectory: row.is_dir === 1,
    size: row.size,
    origin: row.origin,
    at: new Date(row.at),
  };
}

function formatId({ epoch, seq }: Position): string {
  return `${epoch}-${seq}`;
}

/** @throws invalid_request for a text that no feed gave out */
function parseId(text: string | null): Position | null {
  return text === null ? null : demandId(text);
}

function demandId(text: string): Position {
  const [, epoch, seq] = ID.exec(text) ?? [];
  if (epoch !== undefined && seq !== undefined) return { epoch, seq: Number(seq) };
  throw new FsError('invalid_request', 'this is not the id of a change; leave it out to begin now');
}
