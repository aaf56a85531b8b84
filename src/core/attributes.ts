import * as rows from '../db/attributes.ts';
import type { Database } from '../db/schema.ts';
import { pathsTagged } from '../db/tags.ts';
import { inTransaction } from '../db/transaction.ts';
import { accountOf } from './account.ts';
import type { Attributes, PathAttributes } from './core.ts';
import type { News } from './feeds/news.ts';
import { arrived } from './feeds/telling.ts';
import { storedPath } from './stored-path.ts';
import type { InnerVolumes } from './volumes.ts';

export interface AttributesParts {
  readonly db: Database;
  readonly volumes: Pick<InnerVolumes, 'home'>;
  readonly news: News;
}

export function openAttributes({ db, volumes, news }: AttributesParts): Attributes {
  return {
    async get(ref, path) {
      const stored = await rows.getAttributes(db, accountOf(ref), path);
      return stored === null ? { tags: [], metadata: {} } : parsed(stored);
    },

    async set(ref, path, { tags, metadata }) {
      const account = accountOf(ref);
      const entry = await (await volumes.home(ref)).tree.find(path);
      const stored = await inTransaction(db, async (tx) => {
        // At one moment, so that of two that set different fields at once neither takes back what the other said.
        const put = await rows.putAttributes(tx, account, path, {
          ...(tags === undefined ? {} : { tags: JSON.stringify(tags) }),
          ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }),
        });
        await news.record(tx, account, entry === null ? [] : [arrived(entry, true)], 'api');
        return put;
      });
      news.wake(account);
      return parsed(stored);
    },

    async tagged(ref, tags, { within, after, limit }) {
      const found = await pathsTagged(db, accountOf(ref), { tags, within, after, limit: limit + 1 });
      const paths = found.slice(0, limit).map(storedPath);
      return { paths, next: found.length > limit ? (paths.at(-1) ?? null) : null };
    },
  };
}

function parsed({ tags, metadata }: rows.StoredAttributes): PathAttributes {
  // Written by `set` and by nobody else.
  return {
    tags: JSON.parse(tags) as readonly string[],
    metadata: JSON.parse(metadata) as Readonly<Record<string, unknown>>,
  };
}
