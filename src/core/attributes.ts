import * as rows from '../db/attributes.ts';
import type { Database } from '../db/schema.ts';
import { accountOf } from './account.ts';
import type { Attributes, PathAttributes } from './core.ts';

export function openAttributes(db: Database): Attributes {
  return {
    async get(ref, path) {
      const stored = await rows.getAttributes(db, accountOf(ref), path);
      return stored === null ? { tags: [], metadata: {} } : parsed(stored);
    },

    async set(ref, path, { tags, metadata }) {
      // One statement, so that of two that set different fields at once neither takes back what the other said.
      const stored = await rows.putAttributes(db, accountOf(ref), path, {
        ...(tags === undefined ? {} : { tags: JSON.stringify(tags) }),
        ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }),
      });
      return parsed(stored);
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
