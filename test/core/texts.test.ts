import { Readable } from 'node:stream';
import type { Grant } from '../../src/auth/grant.ts';
import type { FileObject, ObjectMeta } from '../../src/core/core.ts';
import type { TenantId } from '../../src/ids.ts';
import { ACME, failure, grantOf, type OneCore, singleCore } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

const META: ObjectMeta = { filename: null, purpose: null, userId: null, agentId: null, sessionId: null };
const PAGE = '<!doctype html><title>t</title><script>alert(1)</script><h1>Größe</h1><p>one <b>two</b></p>';

async function keep(one: OneCore, filename: string, content: string | Buffer, grant = grantOf()): Promise<FileObject> {
  const received = await one.core.objects.receive(grant.tenant, Readable.from([Buffer.from(content)]), {
    maxBytes: 1e9,
  });
  return received.keep(grant, { ...META, filename });
}

async function textOf(one: OneCore, filename: string, content: string | Buffer, grant: Grant = grantOf()) {
  return one.core.texts.of(grant, (await keep(one, filename, content, grant)).id);
}

function rows(one: OneCore) {
  return one.db.selectFrom('texts').select(['tenant', 'format', 'version', 'reason']).execute();
}

describe.each(DATABASES)('texts on $name', (kind) => {
  it('are those of plain text, Markdown and HTML, and of nothing else', async () => {
    await using one = await singleCore(kind);
    expect(await textOf(one, 'a.txt', 'plain ✓\r\n')).toBe('plain ✓\r\n');
    expect(await textOf(one, 'a.md', '# title\n')).toBe('# title\n');
    expect(await textOf(one, 'a.html', PAGE)).toBe('Größe\n\none two');
    expect(await textOf(one, 'a.bin', 'binary')).toBeNull();
    expect(await textOf(one, 'blank.txt', ' \n ')).toBeNull();
  });

  it('are kept once read, and go with the content', async () => {
    await using one = await singleCore(kind);
    const object = await keep(one, 'a.html', PAGE);
    const twin = await keep(one, 'b.html', PAGE);
    await one.core.texts.of(grantOf(), object.id);
    expect(await rows(one)).toEqual([{ tenant: ACME, format: 'html', version: 1, reason: null }]);
    const marked = await one.db.updateTable('texts').set({ text: null, reason: 'unreadable' }).executeTakeFirst();
    expect(marked.numUpdatedRows).toBe(1n);
    expect(await one.core.texts.of(grantOf(), twin.id)).toBeNull();
    await one.core.objects.remove(grantOf(), object.id);
    expect(await rows(one)).toHaveLength(1);
    await one.core.objects.remove(grantOf(), twin.id);
    expect(await rows(one)).toEqual([]);
  });

  it('go with their tenant', async () => {
    await using one = await singleCore(kind);
    await textOf(one, 'a.html', PAGE);
    await one.core.tenants.remove(ACME);
    expect(await rows(one)).toEqual([]);
  });

  it('are of those objects that a grant reaches', async () => {
    await using one = await singleCore(kind);
    const { id } = await keep(one, 'a.html', PAGE);
    await one.core.tenants.admit('other' as TenantId);
    const foreign = one.core.texts.of(grantOf('other' as TenantId), id);
    expect(await failure(foreign)).toMatchObject({ code: 'not_found' });
    const blind = one.core.texts.of(grantOf(ACME, { scopes: new Set(['files:write'] as const) }), id);
    expect(await failure(blind)).toMatchObject({ code: 'forbidden' });
  });
});
