import { sql } from 'kysely';
import { type OpenedDatabase, openDatabase } from '../../src/db/drivers.ts';
import { lastDayBefore, listDays, sumTransfers } from '../../src/db/meter.ts';
import type { Database } from '../../src/db/schema.ts';
import { pathsTagged } from '../../src/db/tags.ts';
import { sumWorkspaces } from '../../src/db/usage.ts';
import { DATABASES, type TestDatabase } from '../support/databases.ts';

/** What PostgreSQL makes of questions whose index is over an expression: SQLite's answers are in indexes.test.ts. */
describe.each(DATABASES.filter(({ name }) => name === 'postgres'))('the plans of $name', (kind) => {
  let database: TestDatabase;
  let opened: OpenedDatabase;

  beforeAll(async () => {
    database = await kind.create();
    opened = await openDatabase(database.url);
    const { db } = opened;
    await sql`insert into attributes select 't', 'store', 'h' || n, 'd' || n % 100 || '/' || n, '[]', '{}'
      from generate_series(1, 5000) n`.execute(db);
    await sql`analyze`.execute(db);
    await sql`insert into tags select tag, tenant, part, path, path_hash, path
      from attributes, (values ('x'), ('y')) v(tag)`.execute(db);
    await sql`insert into agents select 't', 'a' || n, 'u' || n % 500, 0, 'persistent', null, 1, 1
      from generate_series(1, 5000) n`.execute(db);
    await sql`insert into usage (tenant, part) select 't', 'workspace/a' || n from generate_series(1, 5000) n`.execute(
      db,
    );
    await sql`insert into meter (tenant, user_id, agent_id, day) select 't', 'u' || n % 50, '', '2026-' || n
      from generate_series(1, 5000) n`.execute(db);
    await sql`analyze`.execute(db);
  });
  afterAll(async () => {
    await opened.close();
    await database.drop();
  });

  it.each([
    ['one tag', ['x'], null],
    ['several tags, further on', ['x', 'y', 'z'], 'd5/77'],
  ])('find %s below a directory by their index, in its order', async (_name, tags, after) => {
    const plan = await planOf((db) =>
      pathsTagged(db, { tenant: 't', part: 'store' }, { tags, within: 'd5', after, limit: 10 }),
    );
    expect(plan).toContain('using tags_key on tags');
    expect(plan).not.toMatch(/Seq Scan|Sort/);
  });

  it('find the workspaces of a user and their accounts one by one', async () => {
    const plan = await planOf((db) => sumWorkspaces(db, 't', 'u7'));
    expect(plan).toContain('agents_user');
    expect(plan).toMatch(/using usage_\w+ on usage/);
    expect(plan).not.toMatch(/Seq Scan/);
  });

  it('find the days of a user by their key', async () => {
    const of = { tenant: 't', userId: 'u7', agentId: '' };
    for (const ask of [
      (db: Database) => sumTransfers(db, of),
      (db: Database) => listDays(db, of, { from: '2026-01', to: '2026-02' }),
      (db: Database) => lastDayBefore(db, of, '2026-02'),
    ]) {
      const plan = await planOf(ask);
      expect(plan).toContain('meter_key');
      expect(plan).not.toMatch(/Seq Scan|Sort/);
    }
  });

  /** The plan of the first question that `ask` asks. */
  async function planOf(ask: (db: Database) => Promise<unknown>): Promise<string> {
    const texts: string[] = [];
    const listening = opened.db.withPlugin({
      transformQuery: ({ node, queryId }) => {
        const { sql: text, parameters } = opened.db.getExecutor().compileQuery(node, queryId);
        texts.push(text.replace(/\$(\d+)/g, (_, n: string) => `'${String(parameters[Number(n) - 1])}'`));
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    await ask(listening);
    const { rows } = await sql<{ 'QUERY PLAN': string }>`explain ${sql.raw(texts[0] ?? '')}`.execute(opened.db);
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  }
});
