import { join } from 'node:path';
import { hashApiKey, looksLikeApiKey } from '../../src/auth/api-key.ts';
import { openDatabase } from '../../src/db/drivers.ts';
import { findKeyByHash } from '../../src/db/keys.ts';
import type { Database } from '../../src/db/schema.ts';
import { ensureTenant, markDeleted } from '../../src/db/tenants.ts';
import { withDataDir, workspaced } from './run.ts';

async function inDatabase<T>(dataDir: string, use: (db: Database) => Promise<T>): Promise<T> {
  const { db, close } = await openDatabase(`sqlite:${join(dataDir, 'workspaced.db')}`);
  try {
    return await use(db);
  } finally {
    await close();
  }
}

describe('workspaced key', () => {
  it('create prints the key alone, and only its hash is kept', () =>
    withDataDir(async (dataDir) => {
      const env = { DATA_DIR: dataDir };
      const { code, stdout, stderr } = await workspaced(['key', 'create', '--tenant', 'acme'], env);
      expect(code).toBe(0);
      const secret = stdout.trim();
      expect(looksLikeApiKey(secret)).toBe(true);
      expect(stderr).toContain('shown this once');
      expect(stderr).not.toContain(secret);
      const row = await inDatabase(dataDir, (db) => findKeyByHash(db, hashApiKey(secret)));
      expect(row).toMatchObject({ tenant: 'acme', scope: null, agent: null, revoked_at: null });
      expect(JSON.stringify(row)).not.toContain(secret);
    }));

  it('create, list and revoke work on one tenant, with --json for machines', () =>
    withDataDir(async (dataDir) => {
      const env = { DATA_DIR: dataDir };
      const bound = ['--scope', 'workspace:read', '--agent', 'a1', '--json'];
      const made = await workspaced(['key', 'create', '--tenant', 'acme', ...bound], env);
      const { key, ...shown } = JSON.parse(made.stdout);
      expect(shown).toMatchObject({ scope: 'workspace:read', agent: 'a1', created_at: expect.stringMatching(/Z$/) });
      const listed = await workspaced(['key', 'list', '--tenant', 'acme', '--json'], env);
      expect(JSON.parse(listed.stdout)).toEqual({ keys: [shown] });
      expect(listed.stdout).not.toContain(key);
      expect((await workspaced(['key', 'list', '--tenant', 'other', '--json'], env)).stdout).toBe('{"keys":[]}\n');
      const foreign = await workspaced(['key', 'revoke', shown.id, '--tenant', 'other'], env);
      expect(foreign.code).toBe(1);
      expect((await workspaced(['key', 'revoke', shown.id, '--tenant', 'acme'], env)).code).toBe(0);
      expect((await workspaced(['key', 'revoke', shown.id, '--tenant', 'acme'], env)).code).toBe(1);
      const table = await workspaced(['key', 'list', '--tenant', 'acme'], env);
      expect(table.stdout).toBe('ID  CREATED  AGENT  SCOPE\n');
    }));

  it('create refuses a key that nobody could use', () =>
    withDataDir(async (dataDir) => {
      const env = { DATA_DIR: dataDir };
      const create = (tenant: string, more: Record<string, string> = {}) =>
        workspaced(['key', 'create', '--tenant', tenant], { ...env, ...more });
      const unknown = await create('acme', { TENANT_AUTOCREATE: 'false' });
      expect(unknown).toMatchObject({ code: 1, stdout: '' });
      expect(unknown.stderr).toContain('there is no tenant acme');
      await inDatabase(dataDir, async (db) => {
        await ensureTenant(db, 'acme', Date.now());
        await ensureTenant(db, 'gone', Date.now());
        await markDeleted(db, 'gone');
      });
      expect((await create('acme', { TENANT_AUTOCREATE: 'false' })).code).toBe(0);
      const deleted = await create('gone');
      expect(deleted).toMatchObject({ code: 1, stdout: '' });
      expect(deleted.stderr).toContain('tenant gone is deleted');
    }));

  it.each<[string, readonly string[]]>([
    ['is no tenant', ['--tenant', '.']],
    ['is no agent', ['--tenant', 'acme', '--agent', '']],
    ['is no scope', ['--tenant', 'acme', '--scope', 'store']],
  ])('create ends with 2 for what %s', async (_, args) => {
    const { code, stdout } = await workspaced(['key', 'create', ...args], { DATA_DIR: '/nowhere/at/all' });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});
