import { sql } from 'kysely';
import { type OpenedDatabase, openDatabase } from '../../src/db/drivers.ts';
import { pathsTagged } from '../../src/db/tags.ts';
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
    const plans: string[] = [];
    const explaining = opened.db.withPlugin({
      transformQuery: ({ node, queryId }) => {
        const { sql: text, parameters } = opened.db.getExecutor().compileQuery(node, queryId);
        plans.push(text.replace(/\$(\d+)/g, (_, n: string) => `'${String(parameters[Number(n) - 1])}'`));
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    await pathsTagged(explaining, { tenant: 't', part: 'store' }, { tags, within: 'd5', after, limit: 10 });
    const { rows } = await sql<{ 'QUERY PLAN': string }>`explain ${sql.raw(plans[0] ?? '')}`.execute(opened.db);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toContain('using tags_key on tags');
    expect(plan).not.toMatch(/Seq Scan|Sort/);
  });
});
