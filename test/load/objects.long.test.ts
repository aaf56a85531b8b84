import { type OpenedDatabase, openDatabase } from '../../src/db/drivers.ts';
import { listKept } from '../../src/db/object-lists.ts';
import { type Actor, actor } from '../support/actor.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { DATABASES, type TestDatabase } from '../support/databases.ts';
import { COMMON, FILTERS, type Rest, rare, recordObjects } from '../support/many-objects.ts';

const MANY = 100_000;
const FEW = 100;
const ROUNDS = 25;
const WARM_UP = 5;
const OFFSET_MS = 250;
const RESTS: readonly Rest[] = ['alike', 'deleted', 'pending', 'others'];

/** Each filter with what nearly everything has, with what little has, and every two of them; then all five. */
function queries(): readonly string[] {
  const all = (filter: keyof typeof COMMON) => `${filter}=${COMMON[filter]}`;
  const few = (filter: keyof typeof COMMON) => `${filter}=${rare(filter)}`;
  const pairs = FILTERS.flatMap((one) =>
    FILTERS.filter((other) => other !== one).map((other) => [few(one), all(other)]),
  );
  const five = FILTERS.map((one) => [few(one), ...FILTERS.filter((other) => other !== one).map(all)]);
  return [
    [],
    ...FILTERS.map((one) => [all(one)]),
    FILTERS.map(all),
    ...FILTERS.map((one) => [few(one)]),
    ...pairs,
    ...five,
  ].map((parts) => parts.join('&'));
}

interface Timed {
  readonly query: string;
  readonly few: number;
  readonly many: number;
}

describe.each(DATABASES)('a hundred thousand files on $name', (kind) => {
  let database: TestDatabase;
  let opened: OpenedDatabase;
  let daemon: TestDaemon;

  beforeAll(async () => {
    database = await kind.create();
    daemon = await startTestDaemon({ env: { DATABASE_URL: database.url } });
    opened = await openDatabase(database.url);
    for (const rest of RESTS) {
      await recordObjects(opened.db, `few-${rest}`, FEW, rest);
      await recordObjects(opened.db, `many-${rest}`, MANY, rest);
    }
  });
  afterAll(async () => {
    await opened.close();
    await daemon.close();
    await database.drop();
  });

  async function msOf(who: Actor, query: string): Promise<number> {
    const from = performance.now();
    const { status, text } = await who.does(`GET /v1/files?${query}`);
    if (status !== 200) throw new Error(text);
    return performance.now() - from;
  }

  /** In turns, so that what else the machine does strikes both. */
  async function compare(rest: Rest, query: string): Promise<Timed> {
    const [few, many] = ['few', 'many'].map((size) => actor(daemon.url, daemon.token({ tenant: `${size}-${rest}` })));
    if (few === undefined || many === undefined) throw new Error('there are two');
    const times: { few: number[]; many: number[] } = { few: [], many: [] };
    for (let round = 0; round < ROUNDS + WARM_UP; round += 1) {
      const both = [await msOf(few, query), await msOf(many, query)] as const;
      if (round < WARM_UP) continue;
      times.few.push(both[0]);
      times.many.push(both[1]);
    }
    return { query, few: median(times.few), many: median(times.many) };
  }

  it.each(RESTS)(
    'files.list answers each filter within three times of the time with a hundred, the rest %s',
    async (rest) => {
      const timed: Timed[] = [];
      for (const query of queries()) timed.push(await compare(rest, query));
      const worst = timed.reduce((one, other) => (other.many / other.few > one.many / one.few ? other : one));
      const told = timed.map(({ many }) => many);
      process.stdout.write(
        `${kind.name}, the rest ${rest}: ${timed.length} queries, median ${median(told).toFixed(1)} ms with ${MANY} files, ` +
          `${median(timed.map(({ few }) => few)).toFixed(1)} ms with ${FEW}; the worst ratio is ` +
          `${(worst.many / worst.few).toFixed(2)} (${worst.query}: ${worst.many.toFixed(1)} ms, ${worst.few.toFixed(1)} ms)\n`,
      );
      expect(timed.filter(({ few, many }) => many > 3 * few)).toEqual([]);
    },
  );

  it('a page at the offset 99950 is a look at the index away', async () => {
    const times: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      const from = performance.now();
      const page = await listKept(opened.db, { tenant: 'many-alike' }, { limit: 51, offset: 99_950 });
      times.push(performance.now() - from);
      expect(page).toHaveLength(50);
    }
    process.stdout.write(`${kind.name}: offset 99950 in ${median(times).toFixed(1)} ms\n`);
    expect(median(times)).toBeLessThan(OFFSET_MS);
  });
});

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}
