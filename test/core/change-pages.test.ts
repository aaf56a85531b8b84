import { openNews } from '../../src/core/feeds/news.ts';
import { ACME, at, grantOf, STORE, singleCore } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

for (const kind of DATABASES) {
  it(`pages of changes are shorter where paths are long, and leave none out, on ${kind.name}`, async () => {
    await using one = await singleCore(kind);
    const since = (id: string | null) => one.core.changes.since(grantOf(), STORE, id, 1000);
    const { next: id } = await since(null);
    const news = openNews({ db: one.db, clock: () => new Date() });
    const paths = Array.from({ length: 1000 }, (_, n) => at(`${'d/'.repeat(1900)}${n}`));
    const told = paths.map((path) => ({ type: 'created' as const, path, isDirectory: false, entry: null }));
    await news.record(one.db, { tenant: ACME, part: 'store' }, told, 'api');
    const heard: string[] = [];
    for (let page = await since(id); page.changes.length > 0; page = await since(page.next)) {
      expect(page.changes.length).toBeLessThan(150);
      heard.push(...page.changes.map(({ path }) => path));
    }
    expect(heard).toEqual(paths);
  });
}
