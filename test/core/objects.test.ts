import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import Sqlite from 'better-sqlite3';
import type { Grant } from '../../src/auth/grant.ts';
import type { FileObject, ObjectMeta } from '../../src/core/core.ts';
import type { AgentId, ObjectId, TenantId } from '../../src/ids.ts';
import {
  A1,
  ACME,
  at,
  bodyOf,
  coreSite,
  failure,
  grantOf,
  type OneCore,
  pathsOf,
  singleCore,
} from '../support/core.ts';
import { DATABASES, SQLITE } from '../support/databases.ts';

const META: ObjectMeta = { filename: 'a.txt', purpose: 'agent_input', userId: null, agentId: null, sessionId: null };
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

async function keep(
  one: OneCore,
  content: string | Buffer,
  meta: Partial<ObjectMeta> = {},
  grant: Grant = grantOf(),
): Promise<FileObject> {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(content);
  const received = await one.core.objects.receive(grant.tenant, Readable.from([bytes]), { maxBytes: 1e7 });
  return received.keep(grant, { ...META, ...meta });
}

async function textOf(one: OneCore, id: ObjectId): Promise<string> {
  const { file } = await one.core.objects.open(grantOf(), id);
  try {
    return (await file.bytes(1e6)).toString();
  } finally {
    await file.close();
  }
}

/** The contents on the disk. */
async function contentsOf(one: OneCore): Promise<readonly string[]> {
  const home = await one.root.open(['tenants', ACME, 'objects']);
  return (await pathsOf(home.tree)).filter((path) => !path.endsWith('/'));
}

for (const kind of DATABASES) {
  describe(`objects on ${kind.name}`, () => {
    it('keep one content once and charge it for each object', async () => {
      await using one = await singleCore(kind);
      const objects = await Promise.all(Array.from({ length: 10 }, () => keep(one, 'the same bytes')));
      expect(new Set(objects.map(({ id }) => id)).size).toBe(10);
      expect(await contentsOf(one)).toHaveLength(1);
      expect((await one.core.tenants.get(ACME)).usage).toMatchObject({ bytes: 140, files: 10, reservedBytes: 0 });
      expect(await one.core.volumes.rescan(ACME, { dryRun: true })).toMatchObject({ drift: { bytes: 0, files: 0 } });
    });

    it('lose their bytes with the last of them, also when made and deleted at once', async () => {
      await using one = await singleCore(kind);
      const grant = grantOf();
      for (let round = 0; round < 5; round += 1) {
        const first = await keep(one, 'raced');
        const [second] = await Promise.all([keep(one, 'raced'), one.core.objects.remove(grant, first.id)]);
        expect(await textOf(one, second.id)).toBe('raced');
        await one.core.objects.remove(grant, second.id);
        expect(await contentsOf(one)).toEqual([]);
      }
      expect((await one.core.tenants.get(ACME)).usage).toMatchObject({ bytes: 0, files: 0, reservedBytes: 0 });
    });

    it('can be deleted twice, at once too, and are charged off once', async () => {
      await using one = await singleCore(kind);
      const { objects } = one.core;
      const kept = await keep(one, 'kept');
      const { id } = await keep(one, 'gone');
      await Promise.all(Array.from({ length: 5 }, () => objects.remove(grantOf(), id)));
      await objects.remove(grantOf(), id);
      expect(await failure(objects.get(grantOf(), id))).toMatchObject({ code: 'not_found' });
      expect((await one.core.tenants.get(ACME)).usage).toMatchObject({ bytes: 4, files: 1 });
      expect(await textOf(one, kept.id)).toBe('kept');
    });

    it('are another tenant’s, user’s or agent’s and not found', async () => {
      await using one = await singleCore(kind);
      const { objects } = one.core;
      await one.core.tenants.admit('other' as TenantId);
      const { id } = await keep(one, 'x', { userId: 'u1', agentId: A1 });
      const missing = { code: 'not_found' };
      for (const grant of [
        grantOf('other' as TenantId),
        grantOf(ACME, { user: 'u2' }),
        grantOf(ACME, { agent: 'a2' as AgentId }),
      ]) {
        expect(await failure(objects.get(grant, id))).toMatchObject(missing);
        expect(await failure(objects.open(grant, id))).toMatchObject(missing);
        expect(await failure(objects.remove(grant, id))).toMatchObject(missing);
        expect(await failure(objects.link(grant, id, 60))).toMatchObject(missing);
        expect((await objects.list(grant, {}, { limit: 10, cursor: null })).items).toEqual([]);
      }
      expect((await objects.get(grantOf(ACME, { user: 'u1', agent: A1 }), id)).id).toBe(id);
    });

    it('are made for the user or agent a credential is bound to and no other', async () => {
      await using one = await singleCore(kind);
      const user = grantOf(ACME, { user: 'u1' });
      const agent = grantOf(ACME, { agent: A1 });
      expect(await keep(one, 'x', {}, user)).toMatchObject({ userId: 'u1' });
      expect(await keep(one, 'x', {}, agent)).toMatchObject({ agentId: A1 });
      const refused = { code: 'forbidden' };
      expect(await failure(keep(one, 'x', { userId: 'u2' }, user))).toMatchObject(refused);
      expect(await failure(keep(one, 'x', { agentId: 'a2' as AgentId }, agent))).toMatchObject(refused);
      expect(await failure(keep(one, 'x', { purpose: 'agent_output' }, agent))).toMatchObject(refused);
      expect(await failure(keep(one, 'x', {}, grantOf(ACME, { scopes: new Set() })))).toMatchObject(refused);
      expect((await one.core.tenants.get(ACME)).usage).toMatchObject({ bytes: 2, files: 2, reservedBytes: 0 });
    });

    it('are listed newest first, page by page', async () => {
      await using one = await singleCore(kind);
      const ids: string[] = [];
      for (let n = 0; n < 5; n += 1) ids.unshift((await keep(one, `${n}`, { sessionId: n < 2 ? 's1' : null })).id);
      const listed: string[] = [];
      for (let cursor: string | null | undefined = null; cursor !== undefined; ) {
        const page = await one.core.objects.list(grantOf(), {}, { limit: 2, cursor });
        listed.push(...page.items.map(({ id }) => id));
        cursor = page.next ?? undefined;
      }
      expect(listed).toEqual(ids);
      const ofSession = await one.core.objects.list(grantOf(), { sessionId: 's1' }, { limit: 10, cursor: null });
      expect(ofSession).toMatchObject({ items: [{ id: ids[3] }, { id: ids[4] }], next: null });
      const odd = one.core.objects.list(grantOf(), {}, { limit: 2, cursor: 'not one of ours' });
      expect(await failure(odd)).toMatchObject({ code: 'invalid_request' });
    });

    it('are of the type their bytes say, then their name', async () => {
      await using one = await singleCore(kind);
      const typeOf = async (content: string | Buffer, filename: string | null) =>
        (await keep(one, content, { filename })).mimeType;
      expect(await typeOf(PNG, 'picture.txt')).toBe('image/png');
      expect(await typeOf('a,b', 'table.csv')).toBe('text/csv');
      expect(await typeOf('export {};', 'main.ts')).toBe('text/plain');
      expect(await typeOf('?', null)).toBe('application/octet-stream');
      expect(await typeOf('', 'empty.md')).toBe('text/markdown');
      expect((await keep(one, PNG, { mimeType: 'text/x-said' })).mimeType).toBe('text/x-said');
    });

    it('are refused over quota with nothing left in staging', async () => {
      await using one = await singleCore(kind);
      await one.core.tenants.put(ACME, { quotaBytes: 10 });
      await keep(one, '123456789');
      expect(await failure(keep(one, 'ab'))).toMatchObject({
        code: 'quota_exceeded',
        detail: { used: 9, limit: 10, requested: 2 },
      });
      const home = await one.root.open(['tenants', ACME, 'objects']);
      expect(await home.staging.sweep({ has: () => false })).toBe(0);
      expect((await one.core.tenants.get(ACME)).usage).toMatchObject({ bytes: 9, reservedBytes: 0 });
    });

    it('get a signed link that ends with its time', async () => {
      await using one = await singleCore(kind, { clock: () => new Date('2026-01-15T00:00:00Z') });
      const { id } = await keep(one, 'x');
      const link = await one.core.objects.link(grantOf(), id, 900);
      expect(link.path).toMatch(new RegExp(`^/signed/files/${id}\\?token=`));
      expect(link.expiresAt).toEqual(new Date('2026-01-15T00:15:00Z'));
    });

    it('of the daemon itself are copies of a file, replaced with the difference charged', async () => {
      await using one = await singleCore(kind);
      const { objects } = one.core;
      const volume = await one.core.volumes.open(grantOf(), { kind: 'store', tenant: ACME }, 'write');
      const write = (content: string) =>
        volume.write(at('out.csv'), bodyOf(content), { mode: 'upsert', maxBytes: 100 });
      await write('a,b');
      const meta = { ...META, filename: 'out.csv', purpose: 'agent_output' as const };
      const { id } = await objects.keepCopy(ACME, await volume.open(at('out.csv')), meta);
      await write('a,b,c,d');
      const replaced = await objects.replaceCopy(ACME, id, await volume.open(at('out.csv')));
      expect(replaced).toMatchObject({ id, size: 7, mimeType: 'text/csv' });
      expect(await textOf(one, id)).toBe('a,b,c,d');
      expect(await contentsOf(one)).toHaveLength(1);
      expect(await one.core.volumes.rescan(ACME, { dryRun: true })).toMatchObject({
        ledger: { bytes: 14, files: 2 },
        drift: { bytes: 0, files: 0 },
      });
    });
  });
}

describe('an object that is opened', () => {
  /** What happens between the look at its row and the opening of its bytes: the clock is asked there. */
  async function openMeanwhile(happens: (database: Sqlite.Database, other: FileObject) => void): Promise<string> {
    await using site = await coreSite(SQLITE);
    let meanwhile: (() => void) | null = null;
    const clock = () => {
      meanwhile?.();
      return new Date();
    };
    const one = await site.open({ clock });
    await one.core.tenants.admit(ACME);
    const [object, other] = [await keep(one, 'before'), await keep(one, 'after')];
    const database = new Sqlite(site.database.url.replace('sqlite:', ''));
    meanwhile = () => {
      meanwhile = null;
      rmSync(join(site.path, 'tenants', ACME, 'objects', 'tree', object.sha256.slice(0, 2), object.sha256));
      happens(database, other);
    };
    try {
      return await textOf(one, object.id);
    } finally {
      database.close();
    }
  }

  it('is read with the content that it was given since it was looked up', async () => {
    const replace = 'update objects set sha256 = ?, size = ? where sha256 <> ?';
    const text = await openMeanwhile((database, { sha256, size }) =>
      database.prepare(replace).run(sha256, size, sha256),
    );
    expect(text).toBe('after');
  });

  it('is not found where it lost its bytes, in words that do not tell where they lay', async () => {
    const lost = await failure(openMeanwhile(() => undefined));
    expect(lost).toMatchObject({ code: 'not_found', message: 'no file has this id' });
  });
});
