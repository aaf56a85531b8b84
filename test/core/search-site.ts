import type { VolumeRef } from '../../src/auth/grant.ts';
import type { SearchAnswer, SearchLimits, SearchQuery } from '../../src/core/core.ts';
import { openSearches } from '../../src/core/search/searches.ts';
import { openReadVolume } from '../../src/core/volume.ts';
import type { TenantId } from '../../src/ids.ts';
import { ROOT } from '../../src/tree/path.ts';
import { type TemporaryHome, temporaryHome } from '../support/tree.ts';

const QUERY: SearchQuery = {
  text: '',
  within: 'content',
  path: ROOT,
  filePattern: null,
  caseSensitive: true,
  regex: false,
  contextLines: 0,
  tags: [],
  maxResults: 100,
  includeIgnored: false,
};

/** A tree on disk that can be searched; gone when the scope ends. */
export interface SearchSite {
  readonly home: TemporaryHome;
  find(query: Partial<SearchQuery>, signal?: AbortSignal): Promise<SearchAnswer>;
  /** The paths found, in the answer's order. */
  paths(query: Partial<SearchQuery>): Promise<readonly string[]>;
  [Symbol.dispose](): void;
}

/** The searches of a daemon, with threads that several trees share. */
export interface SearchHouse {
  site(lines: readonly string[]): Promise<SearchSite>;
  over(home: TemporaryHome): SearchSite;
  close(): Promise<void>;
}

export function searchHouse(limits: Partial<SearchLimits> = {}): SearchHouse {
  const homes = new Map<string, TemporaryHome>();
  const searches = openSearches({
    limits,
    tagged: async () => ({ paths: [], next: null }),
    home: async ({ tenant }) => {
      const home = homes.get(tenant);
      if (home === undefined) throw new Error('no such tree');
      return home;
    },
  });
  function over(home: TemporaryHome): SearchSite {
    const ref: VolumeRef = { kind: 'store', tenant: `t${homes.size}` as TenantId };
    homes.set(ref.tenant, home);
    const volume = openReadVolume({ ref, home });
    const find: SearchSite['find'] = (query, signal = new AbortController().signal) =>
      searches.find(volume, { ...QUERY, ...query }, signal);
    return {
      home,
      find,
      paths: async (query) => (await find(query)).results.map(({ path }) => path),
      [Symbol.dispose]: () => home[Symbol.dispose](),
    };
  }
  return {
    site: async (lines) => over(await temporaryHome(lines)),
    over,
    close: () => searches.close(),
  };
}

/** One tree with threads of its own. */
export async function searchSite(
  lines: readonly string[],
  limits: Partial<SearchLimits> = {},
): Promise<SearchSite & AsyncDisposable> {
  const house = searchHouse(limits);
  const site = await house.site(lines);
  return {
    ...site,
    async [Symbol.asyncDispose]() {
      await house.close();
      site[Symbol.dispose]();
    },
  };
}
