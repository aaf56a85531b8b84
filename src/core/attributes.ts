import * as rows from '../db/attributes.ts';
import type { Database } from '../db/schema.ts';
import { accountOf } from './account.ts';
import type { Attributes, PathAttributes } from './core.ts';

export function openAttributes(db: Database): Attributes {
  async function get(...[ref, path]: Parameters<Attributes['get']>): Promise<PathAttributes> {
    const stored = await rows.getAttributes(db, accountOf(ref), path);
    if (stored === null) return { tags: [], metadata: {} };
    // Written by `set` below and by nobody else.
    return {
      tags: JSON.parse(stored.tags) as readonly string[],
      metadata: JSON.parse(stored.metadata) as Readonly<Record<string, unknown>>,
    };
  }

  return {
    get,
    async set(ref, path, patch) {
      const changed = { ...(await get(ref, path)), ...patch };
      const [tags, metadata] = [JSON.stringify(changed.tags), JSON.stringify(changed.metadata)];
      await rows.putAttributes(db, accountOf(ref), path, { tags, metadata });
      return changed;
    },
  };
}
