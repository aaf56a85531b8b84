import { DiskNews } from '../../src/core/feeds/disk-news.ts';
import { openNews } from '../../src/core/feeds/news.ts';
import { beginFeed } from '../../src/db/changes.ts';
import type { Entry } from '../../src/tree/entry.ts';
import type { DiskChange } from '../../src/tree/watch.ts';
import { ACME, at, openVolume, put, singleCore } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

const ACCOUNT = { tenant: ACME, part: 'store' };

/** What a watcher saw a while ago. */
const seen = (path: string, entry: Entry): DiskChange => ({ path: at(path), entry, before: null });

describe.each(DATABASES)('what was seen on the disk, on $name', (kind) => {
  it('is not told where it is over and the feed has told of its end', async () => {
    await using one = await singleCore(kind);
    const { db } = one;
    const volume = await openVolume(one);
    const { tree } = await one.root.open(['tenants', ACME, 'store']);
    const news = openNews({ db, clock: () => new Date() });
    const locks = { released: async () => undefined };
    await beginFeed(db, ACCOUNT, { epoch: 'e', now: Date.now() });
    const diskNews = new DiskNews({ db, news, locks, tree, account: ACCOUNT, begunAfter: 0 });

    await put(volume, 'f', 'x');
    await put(volume, 'd/f', 'x');
    const [file, below] = await Promise.all(['f', 'd/f'].map((path) => tree.stat(at(path))));
    if (file === undefined || below === undefined) throw new Error('two were asked for');
    await volume.remove(at('f'), { recursive: false });
    await volume.remove(at('d'), { recursive: true });
    const told = () => db.selectFrom('changes').select(['type', 'path', 'origin']).orderBy('seq').execute();
    const before = await told();
    await diskNews.tell([seen('f', file), seen('d/f', below)]);
    expect(await told()).toEqual(before);
    expect(before.length).toBeGreaterThan(0);
  });
});
