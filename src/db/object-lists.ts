import { type SelectQueryBuilder, sql } from 'kysely';
import { fromObjectRow } from './objects.ts';
import type { Database, ObjectRow, Schema } from './schema.ts';
import type { Amount } from './usage.ts';

/** Whose objects, narrowed by what is named; conditions combine with AND. */
export interface ObjectsOf {
  readonly tenant: string;
  readonly userId?: string;
  readonly agentId?: string;
  readonly sessionId?: string;
  readonly runId?: string;
  readonly purpose?: NonNullable<ObjectRow['purpose']>;
}

/** Where in a list an object stands. No object has to be there: that of a deleted one is where it stood. */
export interface ObjectMark {
  readonly createdAt: number;
  readonly id: string;
}

export interface ObjectPage {
  /** The last object of the page before, or null. */
  readonly after: ObjectMark | null;
  readonly limit: number;
  /** Objects whose time was over by then are left out. */
  readonly now: number;
}

type Column = 'user_id' | 'agent_id' | 'session_id' | 'run_id' | 'purpose';

/** What two kinds of lists show: uploaded objects, or all that were not deleted. Each has indexes of nothing else. */
type Kind = 'listed' | 'kept';

/** Columns whose values make up the key of an index, by what they usually leave: the fewest first. */
const INDEXED: Readonly<Record<Kind, readonly (readonly Column[])[]>> = {
  listed: [
    ['run_id'],
    ['session_id'],
    ['purpose', 'user_id'],
    ['purpose', 'agent_id'],
    ['user_id'],
    ['agent_id'],
    ['purpose'],
    [],
  ],
  kept: [['user_id'], ['agent_id'], []],
};

/** So many objects are read through sooner than it is worth to know how many more there are. */
const FEW = 500;

/** Uploaded objects, newest first. A page takes as long as what the narrowest filter leaves, however many there are in all. */
export async function listObjects(db: Database, of: ObjectsOf, page: ObjectPage): Promise<readonly ObjectRow[]> {
  const list: List = { kind: 'listed', tenant: of.tenant, filters: filtersOf(of), after: page.after };
  const query = part(db, list, await narrowest(db, list)).where((eb) =>
    eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', page.now)]),
  );
  return rowsOf(query, page.limit);
}

/** All objects that were not deleted, pending and failed ones too, newest first. */
export async function listKept(
  db: Database,
  of: Pick<ObjectsOf, 'tenant' | 'userId' | 'agentId'>,
  { limit, offset }: { readonly limit: number; readonly offset: number },
): Promise<readonly ObjectRow[]> {
  const list: List = { kind: 'kept', tenant: of.tenant, filters: filtersOf(of), after: null };
  const columns = await narrowest(db, list);
  if (offset === 0) return rowsOf(part(db, list, columns), limit);
  // What is skipped is read in the index alone.
  const skipped = newestFirst(part(db, list, columns).select(['created_at', 'id']));
  const last = await skipped
    .offset(offset - 1)
    .limit(1)
    .executeTakeFirst();
  if (last === undefined) return [];
  const after = { createdAt: last.created_at, id: last.id };
  return rowsOf(part(db, { ...list, after }, columns), limit);
}

/** Bytes at logical size and number of the tenant's uploaded objects, or of one user's or agent's. */
export async function sumObjects(
  db: Database,
  tenant: string,
  of: Pick<ObjectsOf, 'userId' | 'agentId'> = {},
): Promise<Amount> {
  const list: List = { kind: 'listed', tenant, filters: filtersOf({ ...of, tenant }), after: null };
  const sums = part(db, list, await narrowest(db, list)).select(({ fn }) => [
    fn.coalesce(fn.sum<number>('size'), sql<number>`0`).as('bytes'),
    fn.countAll<number>().as('files'),
  ]);
  return sums.executeTakeFirstOrThrow();
}

interface List {
  readonly kind: Kind;
  readonly tenant: string;
  readonly filters: ReadonlyMap<Column, string>;
  readonly after: ObjectMark | null;
}

type Part<O> = SelectQueryBuilder<Schema, 'objects', O>;

function filtersOf({ userId, agentId, sessionId, runId, purpose }: ObjectsOf): List['filters'] {
  const named: readonly (readonly [Column, string | undefined])[] = [
    ['user_id', userId],
    ['agent_id', agentId],
    ['session_id', sessionId],
    ['run_id', runId],
    ['purpose', purpose],
  ];
  return new Map(named.flatMap(([column, value]) => (value === undefined ? [] : [[column, value] as const])));
}

/**
 * The columns whose index leaves the fewest objects. The databases would guess, and can't know: an index over all files of a
 * user is a good one for most users, and a hundred thousand steps for one.
 */
async function narrowest(db: Database, list: List): Promise<readonly Column[]> {
  const usable = INDEXED[list.kind].filter((columns) => columns.every((column) => list.filters.has(column)));
  const choices = usable.filter((one) => !usable.some((other) => other !== one && one.every((c) => other.includes(c))));
  const [first = [], ...others] = choices;
  if (others.length === 0) return first;
  const count = (columns: readonly Column[]) => {
    const sample = narrow(db.selectFrom('objects'), list, columns).select('id').limit(FEW).as('sample');
    const place = sql.lit(choices.indexOf(columns)).as('place');
    return db.selectFrom(sample).select(({ fn }) => [place, fn.countAll<number>().as('found')]);
  };
  const counts = await others.reduce((all, columns) => all.unionAll(count(columns)), count(first)).execute();
  const fewest = Math.min(...counts.map(({ found }) => found));
  return choices.find((_, n) => counts.some(({ place, found }) => place === n && found === fewest)) ?? first;
}

/** The part of a list that its filters leave, found by the index of these columns. */
function part(db: Database, list: List, columns: readonly Column[]): Part<object> {
  let query = narrow(db.selectFrom('objects'), list, columns);
  for (const [column, value] of list.filters) {
    if (!columns.includes(column)) query = query.where(sql<boolean>`${sql.ref(column)} = ${value}`);
  }
  return query;
}

/**
 * What the index of these columns leaves of a list. Said in the words of the index's definition, as SQLite wants them, and by its
 * key alone: with a column by itself, another index could be taken instead.
 */
function narrow<O>(query: Part<O>, { kind, tenant, filters, after }: List, columns: readonly Column[]): Part<O> {
  const shown = kind === 'listed' ? `status = 'uploaded'` : `status <> 'deleted'`;
  const words = [shown, ...columns.map((column) => `${column} is not null`)].join(' and ');
  // No tenant and no purpose has a slash in it, and of the others there is but one: no two different keys are the same text.
  const key = sql.raw(['tenant', ...columns].map((column) => `${column} || '/'`).join(' || '));
  const value = [tenant, ...columns.map((column) => filters.get(column))].map((text) => `${text}/`).join('');
  const narrowed = query.where(sql<boolean>`${key} = ${value} and ${sql.raw(words)}`);
  if (after === null) return narrowed;
  // Ids of different makers do not sort by time, so the time decides and the id only breaks ties.
  return narrowed.where(({ eb, refTuple, tuple }) =>
    eb(refTuple('created_at', 'id'), '<', tuple(after.createdAt, after.id)),
  );
}

function newestFirst<O>(query: Part<O>): Part<O> {
  return query.orderBy('created_at', 'desc').orderBy('id', 'desc');
}

async function rowsOf(query: Part<object>, limit: number): Promise<readonly ObjectRow[]> {
  return (await newestFirst(query.selectAll()).limit(limit).execute()).map(fromObjectRow);
}
