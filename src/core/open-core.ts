import { dropHolds } from '../db/holds.ts';
import type { AgentId, TenantId } from '../ids.ts';
import { type InnerAgents, openAgents } from './agents.ts';
import { type InnerAnswers, openAnswers } from './answers/answers.ts';
import { openAttributes } from './attributes.ts';
import { openBurial } from './burial.ts';
import type { Core, OnKept } from './core.ts';
import type { CoreParts } from './core-parts.ts';
import { openDisk } from './disk.ts';
import { openEdits } from './edits/edit-file.ts';
import { openChanges } from './feeds/change-feed.ts';
import { type Feeds, openFeeds } from './feeds/feeds.ts';
import { type News, openNews } from './feeds/news.ts';
import { openImports } from './imports.ts';
import { type Instances, openInstances, thisProcess } from './instances.ts';
import { openKeys } from './keys.ts';
import { type Locks, openLocks } from './locks.ts';
import { type Meter, openMeter } from './metering/meter.ts';
import { foldOldDays, openMetering } from './metering/metering.ts';
import { type Contents, openContents } from './objects/contents.ts';
import { expiredObjects } from './objects/expiry.ts';
import { type InnerObjects, openObjects } from './objects/objects.ts';
import { openQuota, type Quota } from './quota.ts';
import { openRecounts, type Recounts } from './recount.ts';
import { type InnerRuns, openRuns } from './runs.ts';
import { type InnerSearches, openSearches } from './search/searches.ts';
import { type InnerSlots, openSlots } from './slots/slots.ts';
import { type Chore, openSweeper } from './sweep.ts';
import { openTenants } from './tenants.ts';
import { type InnerTexts, openTexts } from './texts/texts.ts';
import { type InnerUploads, openUploads } from './uploads/uploads.ts';
import { openVolumes } from './volumes.ts';
import { openWatches, type Watches } from './watches.ts';
import { type Announce, announcer } from './webhooks/announcer.ts';
import { type Courier, openCourier } from './webhooks/courier.ts';
import { openWebhooks } from './webhooks/webhooks.ts';
import { openWorkspaces } from './workspaces.ts';

export type { CoreParts } from './core-parts.ts';

export interface InnerCore extends Core {
  readonly agents: InnerAgents;
  readonly answers: InnerAnswers;
  readonly objects: InnerObjects;
  readonly runs: InnerRuns;
  readonly searches: InnerSearches;
  readonly texts: InnerTexts;
  readonly slots: InnerSlots;
  readonly uploads: InnerUploads;
  /** Everything that time alone causes, now: the burial of dead processes, run time-outs, the clearing of staging. */
  sweep(): Promise<void>;
  /** Directories that this process watches at this moment. */
  watchedDirectories(): number;
  /** Says goodbye: what is under way ends, and nobody has to bury this process. Requests must have ended before. */
  close(): Promise<void>;
}

interface Ground {
  readonly instances: Instances;
  readonly locks: Locks;
  readonly recounts: Recounts;
  readonly quota: Quota;
  readonly news: News;
  readonly watches: Watches;
  readonly feeds: Feeds;
  readonly meter: Meter;
  readonly courier: Courier;
  readonly announce: Announce;
}

/** What everything that writes stands on. */
async function openGround(parts: CoreParts): Promise<Ground> {
  const { db, root, clock, log, instance, limits, metrics } = parts;
  const instances = await openInstances({ db, clock, log, identity: thisProcess(instance) });
  const locks = openLocks({ db, instance, clock, severalProcesses: parts.severalProcesses });
  const courier = openCourier({ db, instance, clock, log, metrics, seals: parts.seals, web: parts.webhooks });
  const announce = announcer({ clock, wake: courier.wake });
  const recounts = openRecounts({ db, root, locks, announce });
  const news = openNews({ db, clock });
  const watches = openWatches({ root, maxDirs: limits.watchMaxDirs });
  const feeds = openFeeds({ db, root, clock, log, instance, news, watches, locks });
  const quota = openQuota({
    ...{ db, instance, announce, recount: recounts.recount, missed: news.missed },
    disk: openDisk(root, limits.diskReserveBytes),
    demandAlive: instances.demandAlive,
  });
  const meter = openMeter({ db, clock, log });
  return { instances, locks, recounts, quota, news, watches, feeds, meter, courier, announce };
}

type Nouns = Omit<InnerCore, 'sweep' | 'watchedDirectories' | 'close'>;

/** The nouns of the product. Runs and what they run in know each other, so some are told of runs only when asked. */
function openNouns(parts: CoreParts, ground: Ground): Nouns & { readonly contents: Contents } {
  const { db, root, clock, log, instance, limits, links, metrics } = parts;
  const { locks, recounts, quota, news, watches, feeds, meter, announce } = ground;
  const abandonRun = (tenant: TenantId, agent: AgentId): Promise<void> => runs.abandon(tenant, agent);
  const workspaces = openWorkspaces({ db, clock, defaults: limits.workspace });
  const volumes = openVolumes({ db, root, instance, quota, locks, news, recounts, workspaces });
  const agents = openAgents({ db, root, locks, volumes, workspaces, ownership: parts.ownership, abandonRun });
  const contents = openContents({ db, root, locks });
  const onKept: OnKept = (tenant, object) => runs.deliver(tenant, object);
  const objects = openObjects({ db, clock, quota, locks, contents, links, announce, onKept });
  const texts = openTexts({ db, clock, log, objects });
  const slots = openSlots({
    ...{ db, clock, instance, quota, contents, links, objects, announce, onKept, log, metrics },
  });
  const runs = openRuns({
    ...{ db, clock, instance, volumes, objects, agents, locks, log, metrics, news, watches, announce },
  });
  const uploads = openUploads({
    ...{ db, root, clock, instance, log, metrics, quota, news, agents, volumes, contents, objects, onKept },
  });
  const tenants = openTenants({
    ...{ db, root, clock, announce, abandonRun, forgetUsage: meter.forget },
    defaults: limits.tenant,
    autocreate: limits.tenantAutocreate,
  });
  const attributes = openAttributes({ db, volumes, news });
  const searches = openSearches({ home: volumes.home, tagged: attributes.tagged });
  const imports = openImports({ volumes, web: parts.web });
  const changes = openChanges({ db, clock, volumes, feeds });
  const trees = { volumes, attributes, imports, searches, changes };
  const files = { objects, contents, texts, slots, uploads };
  return { tenants, agents, runs, ...trees, ...files, ...openApart(parts, ground) };
}

/** The nouns that stand on no other. */
function openApart(
  { db, clock, instance, seals, log, webhooks: web }: CoreParts,
  { meter, courier }: Ground,
): Pick<Nouns, 'keys' | 'edits' | 'answers' | 'usage' | 'webhooks'> {
  return {
    keys: openKeys({ db, clock }),
    edits: openEdits(),
    answers: openAnswers({ db, clock, instance, seals, log }),
    usage: openMetering({ db, clock, meter }),
    webhooks: openWebhooks({ db, clock, seals, web, wake: courier.wake }),
  };
}

/** What time alone causes, but for what the sweeper sees to itself. */
function choresOf({ db, clock, log, metrics }: CoreParts, { courier }: Ground, nouns: Nouns): readonly Chore[] {
  return [
    { what: 'runs', work: nouns.runs.sweep },
    { what: 'slots', work: nouns.slots.sweep },
    { what: 'uploads', work: nouns.uploads.sweep },
    expiredObjects({ db, clock, log, metrics, objects: nouns.objects }),
    { what: 'webhooks', work: courier.look },
    { what: 'old answers', work: nouns.answers.purge },
    { what: 'days of usage', work: () => foldOldDays({ db, clock }) },
  ];
}

/**
 * Opens the product over an open database and data root: makes this process known, puts in order what dead ones left, and
 * begins to sweep. Nothing may be served before this resolves.
 */
export async function openCore(parts: CoreParts): Promise<InnerCore> {
  const { db, root, clock, log, instance, metrics } = parts;
  const ground = await openGround(parts);
  const { instances, recounts, quota, watches, feeds, meter, courier } = ground;
  const { contents, ...nouns } = openNouns(parts, ground);
  const { agents, runs } = nouns;
  const burial = openBurial({
    ...{ db, root, clock, instances, contents, recounts, log, metrics, recoverRuns: runs.recover },
  });
  const sweeper = openSweeper({
    ...{ db, root, clock, instance, log, metrics, quota, burial, contents, agents },
    eventsRetentionMs: parts.limits.eventsRetentionMs,
    chores: choresOf(parts, ground, nouns),
  });

  async function close(): Promise<void> {
    await sweeper.close();
    await nouns.searches.close();
    await nouns.texts.close();
    await feeds.close();
    await runs.close();
    await burial.close();
    await courier.close();
    await quota.mend();
    await meter.close();
    await dropHolds(db, instance);
    await instances.close();
  }

  try {
    await burial.bury();
    await runs.resume();
  } catch (error) {
    await close();
    throw error;
  }
  sweeper.start();
  return { ...nouns, sweep: sweeper.sweep, watchedDirectories: watches.directories, close };
}
