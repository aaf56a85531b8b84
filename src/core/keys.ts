import { LRUCache } from 'lru-cache';
import { hashApiKey, makeApiKey } from '../auth/api-key.ts';
import { type Grant, grantedScopes } from '../auth/grant.ts';
import { parseScopes } from '../auth/scope-text.ts';
import type { Clock } from '../clock.ts';
import * as rows from '../db/keys.ts';
import type { Database, KeyRow } from '../db/schema.ts';
import { FsError } from '../errors.ts';
import { type AgentId, parseAgentId, type TenantId } from '../ids.ts';
import type { Key, Keys } from './core.ts';

const MAX_KNOWN = 10_000;
// A revoked key must be refused everywhere within 5 seconds.
const KNOWN_MS = 4000;

export function openKeys({ db, clock }: { readonly db: Database; readonly clock: Clock }): Keys {
  const known = new LRUCache<string, { readonly grant: Grant | null }>({ max: MAX_KNOWN, ttl: KNOWN_MS });

  return {
    async create(tenant, wanted) {
      const agent = wanted.agent === undefined || wanted.agent === null ? null : parseAgentId(wanted.agent);
      const scope = parseScopes(wanted.scope ?? null, agent);
      const { id, secret, hash } = makeApiKey();
      const row = { id, tenant, hash, scope, agent, created_at: clock().getTime(), revoked_at: null };
      await rows.insertKey(db, row);
      return { ...toKey(row), secret };
    },

    list: async (tenant) => (await rows.listKeys(db, tenant)).map(toKey),

    async revoke(tenant, id) {
      if (!(await rows.revokeKey(db, tenant, id, clock().getTime()))) {
        throw new FsError('not_found', `tenant ${tenant} has no key ${id}`, { path: id });
      }
      // Other processes find out within KNOWN_MS, this one at once.
      known.clear();
    },

    async lookUp(secret) {
      const hash = hashApiKey(secret);
      const remembered = known.get(hash);
      if (remembered !== undefined) return remembered.grant;
      const row = await rows.findKeyByHash(db, hash);
      const grant = row === null ? null : grantOf(row);
      known.set(hash, { grant });
      return grant;
    },
  };
}

function grantOf(row: KeyRow): Grant {
  const agent = row.agent as AgentId | null;
  return {
    tenant: row.tenant as TenantId,
    subject: `key:${row.id}`,
    scopes: grantedScopes(row.scope === null ? null : row.scope.split(' '), agent),
    agent,
    user: null,
    expiresAt: null,
  };
}

function toKey(row: KeyRow): Key {
  return { id: row.id, scope: row.scope, agent: row.agent as AgentId | null, createdAt: new Date(row.created_at) };
}
