import { sql } from 'kysely';
import pino from 'pino';
import type { Grant } from '../../src/auth/grant.ts';
import type { Transfer, Whose } from '../../src/core/core.ts';
import { type Meter, type MeterLimits, openMeter } from '../../src/core/metering/meter.ts';
import { foldOldDays, openMetering } from '../../src/core/metering/metering.ts';
import { type OpenedDatabase, openDatabase } from '../../src/db/drivers.ts';
import { ensureAccount, removeAccounts } from '../../src/db/usage.ts';
import type { AgentId, TenantId } from '../../src/ids.ts';
import { DATABASES, type DatabaseKind, type TestDatabase } from '../support/databases.ts';
import { until } from '../support/wait.ts';

const ACME = 'acme' as TenantId;
const A1 = 'a1' as AgentId;
const ONE = { uploads: 1, downloads: 2, bytesIn: 30, bytesOut: 4000 };
const ALL: Whose = { userId: null, agentId: null };
const GRANT: Grant = {
  tenant: ACME,
  subject: 's',
  scopes: new Set(['usage:read']),
  agent: null,
  user: null,
  expiresAt: null,
};

function times(count: number) {
  const { uploads, downloads, bytesIn, bytesOut } = ONE;
  return {
    uploads: uploads * count,
    downloads: downloads * count,
    bytesIn: bytesIn * count,
    bytesOut: bytesOut * count,
  };
}

const by = (whose: Partial<Whose> = {}, tenant: TenantId = ACME): Transfer => ({ tenant, ...ALL, ...whose, ...ONE });

/** A database with one tenant, and meters as the processes of a fleet have them. */
class Site {
  now = new Date('2026-03-01T12:00:00Z');
  readonly #database: TestDatabase;
  readonly #opened: OpenedDatabase;
  readonly #meters: Meter[] = [];

  private constructor(database: TestDatabase, opened: OpenedDatabase) {
    this.#database = database;
    this.#opened = opened;
  }

  static async open(kind: DatabaseKind): Promise<Site> {
    const database = await kind.create();
    const site = new Site(database, await openDatabase(database.url));
    await site.admit(ACME);
    return site;
  }

  get db() {
    return this.#opened.db;
  }

  async admit(tenant: string): Promise<void> {
    await ensureAccount(this.db, { tenant, part: '' }, { limitBytes: 0, limitFiles: 0 });
  }

  meter(limits?: MeterLimits): Meter {
    const parts = { db: this.db, clock: () => this.now, log: pino({ level: 'silent' }) };
    const meter = openMeter({ ...parts, ...(limits === undefined ? {} : { limits }) });
    this.#meters.push(meter);
    return meter;
  }

  metering(meter: Meter = this.meter()) {
    return openMetering({ db: this.db, clock: () => this.now, meter });
  }

  async holds(bytes: number): Promise<void> {
    await this.db.updateTable('usage').set({ bytes, files: 1 }).where('tenant', '=', ACME).execute();
  }

  async rows(): Promise<number> {
    return (await this.db.selectFrom('meter').select('tenant').execute()).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const meter of this.#meters) await meter.close();
    await this.#opened.close();
    await this.#database.drop();
  }
}

describe.each(DATABASES)('the meter on $name', (kind) => {
  it('adds what several processes count to the tenant, to users, to agents, and to agents of users', async () => {
    await using site = await Site.open(kind);
    const meters = [site.meter(), site.meter(), site.meter()];
    for (const [n, meter] of meters.entries()) {
      meter.count(by());
      meter.count(by({ userId: 'u1' }));
      meter.count(by({ userId: n === 0 ? 'u2' : 'u1', agentId: A1 }));
      meter.count(by({ agentId: A1 }));
    }
    // In no order among them, and all at once.
    await Promise.all(meters.map((meter) => meter.flush()));
    const report = (whose: Partial<Whose>) => site.metering().report(GRANT, { ...ALL, ...whose });
    expect(await report({})).toMatchObject(times(12));
    expect(await report({ userId: 'u1' })).toMatchObject(times(5));
    expect(await report({ userId: 'u2' })).toMatchObject(times(1));
    expect(await report({ agentId: A1 })).toMatchObject(times(6));
    expect(await report({ userId: 'u1', agentId: A1 })).toMatchObject(times(2));
    expect(await report({ userId: 'nobody' })).toMatchObject(times(0));
  });

  it('writes down by itself, and in as many statements for a thousand requests as for one', async () => {
    await using site = await Site.open(kind);
    const meter = site.meter();
    for (let n = 0; n < 1000; n += 1) meter.count(by({ userId: 'u1' }));
    expect(await site.rows()).toBe(0);
    await until(async () => (await site.rows()) > 0, 'the rows');
    expect(await site.rows()).toBe(2);
    expect(await site.metering().report(GRANT, ALL)).toMatchObject(times(1000));
  });

  it('keeps what the database did not take, and counts it once', async () => {
    await using site = await Site.open(kind);
    const meter = site.meter();
    meter.count(by());
    await sql`alter table meter rename to elsewhere`.execute(site.db);
    await expect(meter.flush()).rejects.toThrow();
    meter.count(by());
    await sql`alter table elsewhere rename to meter`.execute(site.db);
    await meter.flush();
    await meter.flush();
    expect(await site.metering().report(GRANT, ALL)).toMatchObject(times(2));
  });

  it('has nothing of a tenant that is deleted, and all of the others', async () => {
    await using site = await Site.open(kind);
    const meter = site.meter();
    await site.admit('gone');
    meter.count(by({}, 'gone' as TenantId));
    meter.count(by());
    await removeAccounts(site.db, 'gone');
    await meter.flush();
    const tenants = await site.db.selectFrom('meter').select('tenant').execute();
    expect(tenants).toEqual([{ tenant: ACME }]);
    await site.admit('gone');
    meter.count(by({}, 'gone' as TenantId));
    await meter.forget('gone' as TenantId);
    await meter.flush();
    expect(await site.rows()).toBe(1);
  });

  it('gives a day what ended in it, and what was held at its end, also to days without a request', async () => {
    await using site = await Site.open(kind);
    const metering = site.metering();
    const day = (text: string) => ({ from: text, to: text }) as Parameters<typeof metering.days>[2];
    await site.holds(10);
    metering.count(by());
    site.now = new Date('2026-03-01T23:59:59.999Z');
    metering.count(by({ userId: 'u1' }));
    await metering.report(GRANT, ALL);
    await site.holds(25);
    metering.count(by());
    await metering.report(GRANT, ALL);
    site.now = new Date('2026-03-03T00:00:00Z');
    await site.holds(7);
    metering.count(by());
    const days = await metering.days(GRANT, ALL, {});
    expect(days.slice(-4)).toEqual([
      { day: '2026-02-28', stored: null, ...times(0) },
      { day: '2026-03-01', stored: { bytes: 25, files: 1 }, ...times(3) },
      { day: '2026-03-02', stored: { bytes: 25, files: 1 }, ...times(0) },
      { day: '2026-03-03', stored: { bytes: 7, files: 1 }, ...times(1) },
    ]);
    expect(await metering.days(GRANT, ALL, day('2026-03-02'))).toEqual([days.at(-2)]);
    expect(await metering.days(GRANT, { ...ALL, userId: 'u1' }, day('2026-03-01'))).toEqual([
      { day: '2026-03-01', stored: null, ...times(1) },
    ]);
    expect(await metering.days(GRANT, ALL, day('2026-03-04'))).toEqual([]);
  });

  it('folds days that are over 400 days old into one, and loses nothing of the whole', async () => {
    await using site = await Site.open(kind);
    const metering = site.metering();
    for (const ago of [402, 401, 400, 1, 0]) {
      site.now = new Date(Date.parse('2026-03-01T12:00:00Z') - ago * 86_400_000);
      metering.count(by({ userId: 'u1' }));
      await metering.report(GRANT, ALL);
    }
    expect(await site.rows()).toBe(10);
    await foldOldDays({ db: site.db, clock: () => site.now });
    await foldOldDays({ db: site.db, clock: () => site.now });
    expect(await site.rows()).toBe(6);
    for (const whose of [ALL, { ...ALL, userId: 'u1' }]) {
      expect(await metering.report(GRANT, whose)).toMatchObject(times(5));
    }
    // What has been folded is added to, and not begun anew.
    site.now = new Date('2027-06-10T12:00:00Z');
    await foldOldDays({ db: site.db, clock: () => site.now });
    expect(await site.rows()).toBe(2);
    expect(await metering.report(GRANT, ALL)).toMatchObject(times(5));
  });
});

describe('the bounds of the meter', () => {
  const ANY = 1_000_000;
  const WIDE = { names: { ofTenant: ANY, ofAll: ANY, assured: 0 }, waiting: ANY };

  /** As many users as somebody likes to name, in so many goes. */
  async function name(site: Site, limits: MeterLimits, users: number, goes = 1): Promise<number> {
    const meter = site.meter(limits);
    for (let go = 0; go < goes; go += 1) {
      for (let n = 0; n < users; n += 1) meter.count(by({ userId: `user-${go}-${n}` }));
      await meter.flush();
    }
    return site.rows();
  }

  const [sqlite = DATABASES[0]] = DATABASES;

  it.each([
    ['in one second', { ...WIDE, waiting: 100 }, 1000, 1, 101],
    ['in one day', { ...WIDE, names: { ...WIDE.names, ofTenant: 100 } }, 250, 4, 101],
    ['among all tenants', { ...WIDE, names: { ofTenant: 60, ofAll: 50, assured: 0 } }, 100, 4, 51],
  ] as const)(
    'hold against a tenant that names a thousand users %s: the rest is counted as its own',
    async (...given) => {
      const [, limits, users, goes, rows] = given;
      if (sqlite === undefined) throw new Error('there is no database');
      await using site = await Site.open(sqlite);
      expect(await name(site, limits, users, goes)).toBe(rows);
      expect(await site.metering().report(GRANT, ALL)).toMatchObject(times(users * goes));
    },
  );

  it('are what holds: without them there is a row for each name', async () => {
    if (sqlite === undefined) throw new Error('there is no database');
    await using site = await Site.open(sqlite);
    expect(await name(site, WIDE, 1000)).toBe(1001);
  });

  it('leave each tenant some names, however many others name', async () => {
    if (sqlite === undefined) throw new Error('there is no database');
    await using site = await Site.open(sqlite);
    const meter = site.meter({ ...WIDE, names: { ofTenant: 100, ofAll: 100, assured: 2 } });
    await site.admit('other');
    for (let n = 0; n < 200; n += 1) meter.count(by({ userId: `user-${n}` }));
    for (const userId of ['u1', 'u2', 'u3']) meter.count(by({ userId }, 'other' as TenantId));
    await meter.flush();
    expect(await site.rows()).toBe(101 + 3);
  });

  it('leave users who were counted before theirs, and other tenants all of them', async () => {
    if (sqlite === undefined) throw new Error('there is no database');
    await using site = await Site.open(sqlite);
    const meter = site.meter({ ...WIDE, names: { ofTenant: 2, ofAll: ANY, assured: 0 } });
    await site.admit('other');
    for (const userId of ['u1', 'u2', 'u3', 'u1']) meter.count(by({ userId }));
    meter.count(by({ userId: 'u3' }, 'other' as TenantId));
    await meter.flush();
    meter.count(by({ userId: 'u2' }));
    const metering = site.metering(meter);
    const of = async (userId: string, tenant = ACME) =>
      (await metering.report({ ...GRANT, tenant }, { ...ALL, userId })).uploads;
    expect([await of('u1'), await of('u2'), await of('u3'), await of('u3', 'other' as TenantId)]).toEqual([2, 2, 0, 1]);
    site.now = new Date('2026-03-02T00:00:00Z');
    meter.count(by({ userId: 'u3' }));
    expect(await of('u3')).toBe(1);
  });
});
