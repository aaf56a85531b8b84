import type { z } from 'zod';
import type { Core, Limits } from '../../../core/core.ts';
import { FsError } from '../../../errors.ts';
import { parseTenantId, type TenantId } from '../../../ids.ts';
import type { Call, Route } from '../../call.ts';
import type { Dialect } from '../../dialect.ts';
import {
  encodeKey,
  encodeRescan,
  encodeTenant,
  keyBody,
  keysReply,
  listQuery,
  newKeyReply,
  rescanQuery,
  rescanReply,
  tenantBody,
  tenantObject,
  tenantsReply,
} from './wire.ts';

/** What the operator does: tenants, their keys and their ledgers. An admin credential of any tenant acts on every tenant here. */
export function adminDialect(): Dialect {
  return {
    name: 'admin',
    mounts: ['/admin'],
    routes: (core) => [
      listTenants(core),
      getTenant(core),
      putTenant(core),
      deleteTenant(core),
      createKey(core),
      listKeys(core),
      revokeKey(core),
      rescan(core),
    ],
  };
}

const MISSING = { description: 'There is no such tenant.' };
// A key is a secret: no cache on the way may keep it.
const NO_STORE = { 'Cache-Control': 'no-store' };

/** @throws invalid_request for an id that is none */
function tenantOf(call: Call): TenantId {
  const tenant = parseTenantId(call.param('tenant'));
  if (tenant !== null) return tenant;
  throw new FsError(
    'invalid_request',
    'a tenant id is 1 to 128 letters, digits, ".", "_" or "-", and begins with a letter or digit',
  );
}

function listTenants(core: Core): Route {
  return {
    method: 'GET',
    path: '/tenants',
    name: 'admin.listTenants',
    summary: 'List the tenants with what they hold.',
    access: 'admin',
    query: listQuery,
    replies: { 200: { description: 'One page.', schema: tenantsReply } },
    handle: async (call) => {
      const { limit, cursor = null } = call.query<z.infer<typeof listQuery>>();
      const { items, next } = await core.tenants.list({ limit, cursor });
      const more = next === null ? {} : { next_cursor: next };
      return { status: 200, json: { tenants: items.map(encodeTenant), ...more } };
    },
  };
}

function getTenant(core: Core): Route {
  return {
    method: 'GET',
    path: '/tenants/:tenant',
    name: 'admin.getTenant',
    summary: 'One tenant: its limits and what it holds.',
    access: 'admin',
    replies: { 200: { description: 'The tenant.', schema: tenantObject }, 404: MISSING },
    handle: async (call) => ({ status: 200, json: encodeTenant(await core.tenants.get(tenantOf(call))) }),
  };
}

function putTenant(core: Core): Route {
  return {
    method: 'PUT',
    path: '/tenants/:tenant',
    name: 'admin.putTenant',
    summary: 'Make a tenant, bring a deleted one back empty, or change its limits.',
    access: 'admin',
    body: tenantBody,
    bodyKinds: ['json'],
    replies: {
      200: { description: 'Changed.', schema: tenantObject },
      201: { description: 'Made.', schema: tenantObject },
      400: { description: 'A bad id or limit.' },
    },
    handle: async (call) => {
      const body = await call.json<z.infer<typeof tenantBody>>();
      const limits: Partial<Limits> = {
        ...(body.quota_bytes === undefined ? {} : { quotaBytes: body.quota_bytes }),
        ...(body.quota_files === undefined ? {} : { quotaFiles: body.quota_files }),
      };
      const { tenant, created } = await core.tenants.put(tenantOf(call), limits);
      return { status: created ? 201 : 200, json: encodeTenant(tenant) };
    },
  };
}

function deleteTenant(core: Core): Route {
  return {
    method: 'DELETE',
    path: '/tenants/:tenant',
    name: 'admin.deleteTenant',
    summary: 'Delete a tenant with everything it holds. Its credentials get 403 until it is put again.',
    access: 'admin',
    replies: { 204: { description: 'It is gone; a tombstone stays.' }, 404: MISSING },
    handle: async (call) => {
      await core.tenants.remove(tenantOf(call));
      return { status: 204, empty: true };
    },
  };
}

function createKey(core: Core): Route {
  return {
    method: 'POST',
    path: '/tenants/:tenant/keys',
    name: 'admin.createKey',
    summary: 'Make an API key. The key is shown this once and stored hashed.',
    access: 'admin',
    body: keyBody,
    bodyKinds: ['json'],
    creates: true,
    replies: {
      201: { description: 'The key.', schema: newKeyReply },
      400: { description: 'A scope or agent id that is none.' },
      403: { description: 'The tenant was deleted, or is unknown and does not come into being by itself.' },
    },
    handle: async (call) => {
      const body = await call.json<z.infer<typeof keyBody>>();
      const tenant = tenantOf(call);
      // As a token's first use: the tenant of a key comes into being with it, unless TENANT_AUTOCREATE is off.
      await core.tenants.admit(tenant);
      const { secret, ...key } = await core.keys.create(tenant, {
        scope: body.scope ?? null,
        agent: body.agent ?? null,
      });
      return { status: 201, headers: NO_STORE, json: { ...encodeKey(key), key: secret } };
    },
  };
}

function listKeys(core: Core): Route {
  return {
    method: 'GET',
    path: '/tenants/:tenant/keys',
    name: 'admin.listKeys',
    summary: 'List the keys of a tenant, without the keys themselves.',
    access: 'admin',
    replies: { 200: { description: 'All of them.', schema: keysReply }, 404: MISSING },
    handle: async (call) => {
      const tenant = tenantOf(call);
      const keys = await core.keys.list(tenant);
      if (keys.length === 0) await core.tenants.get(tenant);
      return { status: 200, json: { keys: keys.map(encodeKey) } };
    },
  };
}

function revokeKey(core: Core): Route {
  return {
    method: 'DELETE',
    path: '/tenants/:tenant/keys/:id',
    name: 'admin.revokeKey',
    summary: 'Revoke a key. It stops working everywhere within 5 seconds.',
    access: 'admin',
    replies: { 204: { description: 'It is revoked.' }, 404: { description: 'There is no such key or tenant.' } },
    handle: async (call) => {
      await core.keys.revoke(tenantOf(call), call.param('id'));
      return { status: 204, empty: true };
    },
  };
}

function rescan(core: Core): Route {
  return {
    method: 'POST',
    path: '/tenants/:tenant/rescan',
    name: 'admin.rescan',
    summary:
      'Count what the tenant holds on disk, compare it with the ledger, and mend the ledger unless `dry_run=true`.',
    access: 'admin',
    query: rescanQuery,
    replies: { 200: { description: 'What was found.', schema: rescanReply }, 404: MISSING },
    handle: async (call) => {
      const { dry_run: dryRun } = call.query<z.infer<typeof rescanQuery>>();
      const { id } = await core.tenants.get(tenantOf(call));
      return { status: 200, json: encodeRescan(await core.volumes.rescan(id, { dryRun })) };
    },
  };
}
