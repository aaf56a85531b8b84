import { makeApiKey } from '../../auth/api-key.ts';
import { parseScopes } from '../../auth/scope-text.ts';
import { type Config, readConfig } from '../../config.ts';
import { openDatabase } from '../../db/drivers.ts';
import { insertKey, listKeys, revokeKey } from '../../db/keys.ts';
import type { Database, KeyRow } from '../../db/schema.ts';
import { findTenant } from '../../db/tenants.ts';
import { FsError } from '../../errors.ts';
import type { TenantId } from '../../ids.ts';
import { makeDataRoot } from '../../secrets.ts';
import { type Output, printJson, printTable } from '../output.ts';
import { demandTenant, optionalAgent } from './token.ts';

export interface KeyOptions {
  readonly tenant: string;
  readonly scope?: string;
  readonly agent?: string;
  readonly json?: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** `workspaced key create`. @throws invalid_request, not_found (no such tenant, and none comes into being), conflict */
export async function createKey(env: Environment, options: KeyOptions, output: Output): Promise<void> {
  const config = readConfig(env);
  const tenant = demandTenant(options.tenant);
  const agent = optionalAgent(options.agent);
  const scope = parseScopes(options.scope ?? null, agent);
  const { id, secret, hash } = makeApiKey();
  const row: KeyRow = { id, tenant, hash, scope, agent, created_at: Date.now(), revoked_at: null };
  await withDatabase(config, async (db) => {
    await demandUsable(db, tenant, config);
    await insertKey(db, row);
  });
  if (options.json === true) return printJson(output, { ...described(row), key: secret });
  output.print(`${secret}\n`);
  output.remark(
    `key ${id} of ${tenant}: it is shown this once; "workspaced key revoke ${id} --tenant ${tenant}" ends it\n`,
  );
}

/** `workspaced key list`. @throws invalid_request */
export async function printKeys(env: Environment, options: KeyOptions, output: Output): Promise<void> {
  const tenant = demandTenant(options.tenant);
  const keys = await withDatabase(readConfig(env), (db) => listKeys(db, tenant));
  if (options.json === true) return printJson(output, { keys: keys.map(described) });
  const rows = keys.map(described).map((key) => [key.id, key.created_at, key.agent ?? '-', key.scope ?? '(default)']);
  printTable(output, [['ID', 'CREATED', 'AGENT', 'SCOPE'], ...rows]);
}

/** `workspaced key revoke`. @throws invalid_request, not_found */
export async function endKey(env: Environment, id: string, options: KeyOptions, output: Output): Promise<void> {
  const tenant = demandTenant(options.tenant);
  const revoked = await withDatabase(readConfig(env), (db) => revokeKey(db, tenant, id, Date.now()));
  if (!revoked) throw new FsError('not_found', `tenant ${tenant} has no key "${id}", or it was revoked before`);
  output.remark(`key ${id} of ${tenant} is revoked\n`);
}

/** A key nobody could use is refused now, where someone can read why. */
async function demandUsable(db: Database, tenant: TenantId, config: Config): Promise<void> {
  const found = await findTenant(db, tenant);
  if (found?.status === 'deleted') {
    throw new FsError('conflict', `tenant ${tenant} is deleted; bring it back first: PUT /admin/tenants/${tenant}`);
  }
  if (found === null && !config.tenantAutocreate) {
    throw new FsError('not_found', `there is no tenant ${tenant}; make it first: PUT /admin/tenants/${tenant}`);
  }
}

async function withDatabase<T>(config: Config, use: (db: Database) => Promise<T>): Promise<T> {
  await makeDataRoot(config);
  const { db, close } = await openDatabase(config.databaseUrl, { durability: config.durability });
  try {
    return await use(db);
  } finally {
    await close();
  }
}

function described(row: KeyRow) {
  const { id, scope, agent, created_at } = row;
  return { id, scope, agent, created_at: new Date(created_at).toISOString() };
}
