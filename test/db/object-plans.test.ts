import { CompiledQuery, type RootOperationNode, sql } from 'kysely';
import { type OpenedDatabase, openDatabase } from '../../src/db/drivers.ts';
import * as lists from '../../src/db/object-lists.ts';
import { listExpiredObjects } from '../../src/db/objects.ts';
import type { Database } from '../../src/db/schema.ts';
import { DATABASES, type TestDatabase } from '../support/databases.ts';
import { recordObjects } from '../support/many-objects.ts';

const COUNT = 3000;
const TENANT = 'many';
const FIRST = { after: null, limit: 51, now: 1 };
const LATER = { ...FIRST, after: { createdAt: 1_700_001_000_000, id: 'x' } };

type Narrowed = Omit<lists.ObjectsOf, 'tenant'>;

/** What is asked for, and the index in which the fewest objects are left: but twenty of those here have 'all' everywhere. */
const LISTS: readonly (readonly [index: string, of: Narrowed])[] = [
  ['objects_listed', {}],
  ['objects_listed_user_id', { userId: 'all' }],
  ['objects_listed_agent_id', { agentId: 'few' }],
  ['objects_listed_session_id', { sessionId: 'few' }],
  ['objects_listed_run_id', { runId: 'few' }],
  ['objects_listed_purpose', { purpose: 'knowledge' }],
  ['objects_listed_purpose_user_id', { userId: 'all', purpose: 'knowledge' }],
  ['objects_listed_purpose_agent_id', { agentId: 'all', purpose: 'knowledge' }],
  ['objects_listed_user_id', { userId: 'few', sessionId: 'all', runId: 'all' }],
  ['objects_listed_session_id', { userId: 'all', agentId: 'all', sessionId: 'few' }],
  ['objects_listed_run_id', { userId: 'all', runId: 'few', purpose: 'agent_input' }],
  ['objects_listed_purpose_agent_id', { userId: 'all', agentId: 'few', purpose: 'agent_input' }],
  ['objects_listed_run_id', { userId: 'all', agentId: 'all', sessionId: 'all', runId: 'all', purpose: 'agent_input' }],
];

describe.each(DATABASES)('the plans of lists of objects on $name', (kind) => {
  let database: TestDatabase;
  let opened: OpenedDatabase;

  beforeAll(async () => {
    database = await kind.create();
    opened = await openDatabase(database.url, { durability: 'none' });
    await recordObjects(opened.db, TENANT, COUNT);
    await recordObjects(opened.db, 'other', COUNT, 'pending');
  });
  afterAll(async () => {
    await opened.close();
    await database.drop();
  });

  const list = (of: Narrowed, page: lists.ObjectPage) => (db: Database) =>
    lists.listObjects(db, { tenant: TENANT, ...of }, page);

  async function expectIndex(index: string, ask: (db: Database) => Promise<unknown>): Promise<void> {
    const steps = await plansOf(kind.name, opened.db, ask);
    expect(steps.filter((step) => BAD.test(step))).toEqual([]);
    expect(steps.map((step) => INDEX.exec(step)?.[1]).findLast((name) => name?.startsWith('objects'))).toBe(index);
  }

  it('read the index that leaves the fewest, in its order, with statistics and without', async () => {
    for (const statistics of [false, true]) {
      if (statistics) await sql`analyze`.execute(opened.db);
      for (const [index, of] of LISTS) {
        await expectIndex(index, list(of, FIRST));
        await expectIndex(index, list(of, LATER));
      }
    }
  });

  it('show all of what a filter leaves, whichever index is read', async () => {
    for (const [, of] of LISTS) {
      const found = await list(of, { ...FIRST, limit: COUNT })(opened.db);
      const all = opened.db
        .selectFrom('objects')
        .selectAll()
        .where('tenant', '=', TENANT)
        .orderBy('created_at', 'desc');
      const fits = (await all.execute()).filter(
        (row) =>
          (of.userId ?? row.user_id) === row.user_id &&
          (of.agentId ?? row.agent_id) === row.agent_id &&
          (of.sessionId ?? row.session_id) === row.session_id &&
          (of.runId ?? row.run_id) === row.run_id &&
          (of.purpose ?? row.purpose) === row.purpose,
      );
      expect(found.length).toBeGreaterThan(0);
      expect(found.map(({ id }) => id)).toEqual(fits.map(({ id }) => id));
    }
  });

  it('of slots read an index without the deleted ones, and skip in it', async () => {
    const slots = (of: object, offset: number) => (db: Database) =>
      lists.listKept(db, { tenant: 'other', ...of }, { limit: 51, offset });
    await expectIndex('objects_kept', slots({}, 0));
    await expectIndex('objects_kept', slots({}, 500));
    await expectIndex('objects_kept_user_id', slots({ userId: 'all' }, 10));
    await expectIndex('objects_kept_agent_id', slots({ userId: 'all', agentId: 'few' }, 0));
  });

  it('of what is over read an index of nothing else', async () => {
    await expectIndex('objects_expiring', (db) => listExpiredObjects(db, 1, 10));
  });
});

/** Steps that read more than they need, as either database words them; those over a few counted rows and live runs are none. */
const BAD = /^SCAN (?!sample|live_runs)|TEMP B-TREE|Seq Scan(?! on (?:live_)?runs)|Bitmap|Sort/;
const INDEX = /\b(?:INDEX|using) (objects_\w+)/;

/** Every step of every query that is asked. */
async function plansOf(
  kind: string,
  db: Database,
  ask: (db: Database) => Promise<unknown>,
): Promise<readonly string[]> {
  const asked: RootOperationNode[] = [];
  const listening = db.withPlugin({
    transformQuery: ({ node }) => {
      asked.push(node);
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  await ask(listening);
  const steps: string[] = [];
  for (const node of asked) {
    const { sql: text, parameters } = db.getExecutor().compileQuery(node, sql`select 1`.compile(db).queryId);
    const explain = kind === 'sqlite' ? 'explain query plan' : 'explain';
    const { rows } = await db.executeQuery<Record<string, unknown>>(
      CompiledQuery.raw(`${explain} ${text}`, [...parameters]),
    );
    steps.push(...rows.map((row) => String(row.detail ?? row['QUERY PLAN'])));
  }
  return steps;
}
