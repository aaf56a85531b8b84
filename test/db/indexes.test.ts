import { CompiledQuery, type KyselyPlugin, type RootOperationNode, sql } from 'kysely';
import * as agents from '../../src/db/agents.ts';
import * as answers from '../../src/db/answers.ts';
import * as attributes from '../../src/db/attributes.ts';
import * as changes from '../../src/db/changes.ts';
import * as contents from '../../src/db/contents.ts';
import { type OpenedDatabase, openDatabase } from '../../src/db/drivers.ts';
import * as holds from '../../src/db/holds.ts';
import * as keys from '../../src/db/keys.ts';
import * as lockSets from '../../src/db/lock-sets.ts';
import * as locks from '../../src/db/locks.ts';
import * as manifest from '../../src/db/manifest.ts';
import * as meter from '../../src/db/meter.ts';
import * as lists from '../../src/db/object-lists.ts';
import * as objects from '../../src/db/objects.ts';
import * as outputs from '../../src/db/outputs.ts';
import * as runs from '../../src/db/runs.ts';
import type { Database } from '../../src/db/schema.ts';
import * as slots from '../../src/db/slots.ts';
import * as tags from '../../src/db/tags.ts';
import * as texts from '../../src/db/texts.ts';
import * as uploads from '../../src/db/uploads.ts';
import * as usage from '../../src/db/usage.ts';
import * as watches from '../../src/db/watches.ts';
import * as webhooks from '../../src/db/webhooks.ts';

const account = { tenant: 't', part: 'store' };
const page = { after: null, limit: 10 };
const objectPage = { before: 'x', limit: 10 };
const listed = { after: { createdAt: 1, id: 'x' }, limit: 10, now: 5 };
const tagged = { within: 'd', after: null, limit: 10 };
const text = { tenant: 't', sha256: 's', format: 'pdf', version: 1 };
const claim = { keyHash: 'k', tenant: 't', claim: 'c' };
const claiming = { ...claim, instance: 'i', callHash: 'h', now: 1, expiresAt: 2 };
const counted = { bytes: 1, files: 1 };
const metered = { tenant: 't', userId: 'u', agentId: '' };
const transfer = {
  tenant: 't',
  userId: '',
  agentId: '',
  day: '2026-01-15',
  uploads: 1,
  downloads: 1,
  bytesIn: 1,
  bytesOut: 1,
};
const attempts = {
  ...{ received: ['a'], again: [{ id: 'b', dueAt: 1 }], lost: ['c'] },
  failure: { sentence: 'x', restUntil: 1 },
};

/** Every question that is asked while someone waits, or of a table that grows with use. */
const QUESTIONS: Readonly<Record<string, (db: Database) => Promise<unknown>>> = {
  reserve: (db) => usage.reserve(db, { ...account, instance: 'i', bytes: 1, files: 1 }),
  settle: (db) => usage.settle(db, { ...account, instance: 'i', reserved: counted, actual: counted }),
  applyRecount: (db) => usage.applyRecount(db, { ...account, counted, ifVersion: 0 }),
  listAccounts: (db) => usage.listAccounts(db, 't', page),
  removeAccount: (db) => usage.removeAccount(db, { tenant: 't', part: 'gone' }),
  buryHolds: (db) => holds.buryHolds(db, 'i', 1),
  readHold: (db) => holds.readHold(db, { ...account, instance: 'i' }),
  settleHold: (db) => holds.settleHold(db, { ...account, instance: 'i', actual: counted }),
  isUploadOpen: (db) => uploads.isUploadOpen(db, 'u'),
  findUpload: (db) => uploads.findUpload(db, 't', 'u'),
  countOpenUploads: (db) => uploads.countOpenUploads(db, 't'),
  uploadsToSettle: (db) => uploads.uploadsToSettle(db, 5, 10),
  expiredUploads: (db) => uploads.expiredUploads(db, 5, 10),
  removeUploadsOf: (db) => uploads.removeUploadsOf(db, account),
  deleteUpload: (db) => uploads.deleteUpload(db, 'u'),
  updateUpload: (db) => uploads.updateUpload(db, 'u', { received: 1 }),
  takeWanted: (db) => uploads.takeWanted(db, 'u'),
  findKeyByHash: (db) => keys.findKeyByHash(db, 'h'),
  listKeys: (db) => keys.listKeys(db, 't'),
  listAgents: (db) => agents.listAgents(db, 't', page),
  claimUser: (db) => agents.claimUser(db, 't', 'a', 'u'),
  listExpired: (db) => agents.listExpired(db, 5, 10),
  findObject: (db) => objects.findObject(db, 't', 'x'),
  'listObjects of a tenant': (db) => lists.listObjects(db, { tenant: 't' }, listed),
  'listObjects of a user': (db) => lists.listObjects(db, { tenant: 't', userId: 'u' }, listed),
  'listObjects of an agent': (db) => lists.listObjects(db, { tenant: 't', agentId: 'a' }, listed),
  'listObjects of a session': (db) => lists.listObjects(db, { tenant: 't', sessionId: 's' }, listed),
  'listObjects of a run': (db) => lists.listObjects(db, { tenant: 't', runId: 'r' }, listed),
  'listObjects of a purpose': (db) => lists.listObjects(db, { tenant: 't', purpose: 'knowledge' }, listed),
  'listObjects of everything': (db) =>
    lists.listObjects(
      db,
      { tenant: 't', userId: 'u', agentId: 'a', sessionId: 's', runId: 'r', purpose: 'knowledge' },
      { ...listed, after: null },
    ),
  'listKept of a tenant': (db) => lists.listKept(db, { tenant: 't' }, { limit: 10, offset: 10 }),
  'listKept of a user and an agent': (db) =>
    lists.listKept(db, { tenant: 't', userId: 'u', agentId: 'a' }, { limit: 10, offset: 0 }),
  listExpiredObjects: (db) => objects.listExpiredObjects(db, 5, 10),
  removeObjectsOf: (db) => objects.removeObjectsOf(db, 'gone'),
  markObjectDeleted: (db) => objects.markObjectDeleted(db, 't', 'x', 1),
  sumObjects: (db) => lists.sumObjects(db, 't'),
  'sumObjects of a user': (db) => lists.sumObjects(db, 't', { userId: 'u' }),
  sumWorkspaces: (db) => usage.sumWorkspaces(db, 't', 'u'),
  addTransfers: (db) => meter.addTransfers(db, [transfer, { ...transfer, userId: 'u' }]),
  sumTransfers: (db) => meter.sumTransfers(db, metered),
  listDays: (db) => meter.listDays(db, metered, { from: '2026-01-01', to: '2026-01-31' }),
  lastDayBefore: (db) => meter.lastDayBefore(db, metered, '2026-01-15'),
  foldDays: (db) => meter.foldDays(db, '2026-01-16', 10),
  findAnyObject: (db) => objects.findAnyObject(db, 'x'),
  dueSlots: (db) => slots.dueSlots(db, 5, 10),
  countDownload: (db) => slots.countDownload(db, 'x'),
  setVisibility: (db) => slots.setVisibility(db, 't', 'x', 'public'),
  deleteUnfilled: (db) => slots.deleteUnfilled(db, { tenant: 't', id: 'x' }, 1),
  markFailed: (db) => slots.markFailed(db, { tenant: 't', id: 'x' }),
  listOrphans: (db) => contents.listOrphans(db, 10),
  findText: (db) => texts.findText(db, text),
  removeTexts: (db) => texts.removeTexts(db, text),
  acquireLock: (db) => locks.acquireLock(db, { name: 'n', instance: 'i', ttlMs: 1, now: 1 }),
  acquireLocks: (db) => lockSets.acquireLocks(db, { names: ['n', 'm'], instance: 'i', ttlMs: 1, now: 1 }),
  checkLocks: (db) => lockSets.checkLocks(db, new Map([['n', 1]])),
  renewLocks: (db) => lockSets.renewLocks(db, 'i', new Map([['n', 1]]), 9),
  releaseLocks: (db) => lockSets.releaseLocks(db, 'i', new Map([['n', 1]])),
  releaseLocksOf: (db) => locks.releaseLocksOf(db, 'i'),
  listRuns: (db) => runs.listRuns(db, { tenant: 't', agent: 'a', userId: null }, objectPage),
  findLiveRun: (db) => runs.findLiveRun(db, 't', 'a'),
  overdueRuns: (db) => runs.overdueRuns(db, 5, 10),
  usedUpWorkspaces: (db) => runs.usedUpWorkspaces(db, 10),
  pageManifest: (db) => manifest.pageManifest(db, { tenant: 't', agent: 'a' }, 'x', 10),
  pageOutputs: (db) => outputs.pageOutputs(db, 'r', 'x', 10),
  pageKept: (db) => outputs.pageKept(db, { tenant: 't', runId: 'r', userId: 'u' }, { after: 'x', limit: 10 }),
  skippedOutputs: (db) => outputs.skippedOutputs(db, 'r', 10),
  getAttributes: (db) => attributes.getAttributes(db, account, 'a'),
  moveAttributes: (db) => attributes.moveAttributes(db, account, 'a', 'b'),
  copyAttributes: (db) => attributes.copyAttributes(db, account, 'a', 'b'),
  putAttributes: (db) => attributes.putAttributes(db, account, 'a', { tags: '["x"]' }),
  'pathsTagged with one tag': (db) => tags.pathsTagged(db, account, { ...tagged, tags: ['x'] }),
  'pathsTagged with several, further on': (db) =>
    tags.pathsTagged(db, account, { ...tagged, tags: ['x', 'y', 'z'], after: 'd/e' }),
  deleteAttributes: (db) => attributes.deleteAttributes(db, account, 'a'),
  findFeed: (db) => changes.findFeed(db, account),
  beginFeed: (db) => changes.beginFeed(db, account, { epoch: 'e', now: 1 }),
  touchFeed: (db) => changes.touchFeed(db, account, 2),
  appendResync: (db) => changes.appendResync(db, account, 1),
  pageChanges: (db) => changes.pageChanges(db, account, 1, 10),
  beginWatch: (db) => watches.beginWatch(db, { ...account, instance: 'i' }, 1),
  endWatch: (db) => watches.endWatch(db, { ...account, instance: 'i' }),
  buryWatches: (db) => watches.buryWatches(db, 'i', 1),
  pruneChanges: (db) => changes.pruneChanges(db, 5, 10),
  removeUnasked: (db) => changes.removeUnasked(db, 5, 10),
  claimAnswer: (db) => answers.claimAnswer(db, claiming, { answers: 9, bytes: 9 }),
  beginAnswer: (db) => answers.beginAnswer(db, claim, { hash: 'h', bytes: 1 }),
  keepAnswer: (db) => answers.keepAnswer(db, claim, 'a', 3),
  purgeAnswers: (db) => answers.purgeAnswers(db, 1, 10),
  dropAnswer: (db) => answers.dropAnswer(db, claim),
  removeAnswersOf: (db) => answers.removeAnswersOf(db, 't'),
  countOutputs: (db) => outputs.countOutputs(db, 'r'),
  putWebhook: (db) => webhooks.putWebhook(db, { tenant: 't', url: 'u', secret: 's', events: ['e'] }, 1),
  findWebhook: (db) => webhooks.findWebhook(db, 't'),
  wantsEvent: (db) => webhooks.wantsEvent(db, 't', 'e'),
  countAnnouncements: (db) => webhooks.countAnnouncements(db, 't'),
  listDue: (db) => webhooks.listDue(db, 't', 1, 10),
  listWaiting: (db) => webhooks.listWaiting(db, { after: '', limit: 10, now: 1 }),
  bookAttempts: (db) => webhooks.bookAttempts(db, 't', 1, attempts),
  trimAnnouncements: (db) => webhooks.trimAnnouncements(db, 't', 10),
  removeUnwanted: (db) => webhooks.removeUnwanted(db, 't'),
  removeWebhook: (db) => webhooks.removeWebhook(db, 't'),
  removeFeed: (db) => changes.removeFeed(db, { tenant: 't', part: 'gone' }),
};

/**
 * Reads a whole table, or sorts what it found. Live runs are few, `waiting` is what a query makes for itself, `sample` is a few hundred rows of an
 * index, and `listOrphans` and `listExpired` go through an index that holds only theirs.
 */
const WHOLE_TABLE =
  /^SCAN (?!live_runs|sample|waiting|\d+-ROW VALUES|.*USING (COVERING )?INDEX (contents_orphaned|agents_expiring))|TEMP B-TREE/;

describe('the indexes of SQLite', () => {
  let opened: OpenedDatabase;
  beforeAll(async () => {
    opened = await openDatabase('sqlite::memory:');
    await usage.ensureAccount(opened.db, { tenant: 't', part: '' }, { limitBytes: 0, limitFiles: 0 });
    await usage.ensureAccount(opened.db, account, { limitBytes: 0, limitFiles: 0 });
  });
  afterAll(() => opened.close());

  it.each(Object.entries(QUESTIONS))('answer %s without reading a whole table', async (_name, ask) => {
    const asked: RootOperationNode[] = [];
    const listen: KyselyPlugin = {
      transformQuery: ({ node }) => {
        asked.push(node);
        return node;
      },
      transformResult: async ({ result }) => result,
    };
    await ask(opened.db.withPlugin(listen));
    expect(asked.length).toBeGreaterThan(0);
    for (const node of asked) {
      expect((await planOf(opened.db, node)).filter((step) => WHOLE_TABLE.test(step))).toEqual([]);
    }
  });

  it('are missed by a question nobody prepared for', async () => {
    const unprepared = opened.db.selectFrom('objects').selectAll().where('filename', '=', 'x').toOperationNode();
    expect((await planOf(opened.db, unprepared)).some((step) => WHOLE_TABLE.test(step))).toBe(true);
  });
});

async function planOf(db: Database, node: RootOperationNode): Promise<readonly string[]> {
  const queryId = sql`select 1`.compile(db).queryId;
  const { sql: text, parameters } = db.getExecutor().compileQuery(node, queryId);
  const plan = CompiledQuery.raw(`explain query plan ${text}`, [...parameters]);
  const { rows } = await db.executeQuery<{ detail: string }>(plan);
  return rows.map(({ detail }) => detail);
}
