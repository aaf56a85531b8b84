import { inflateRawSync } from 'node:zlib';
import type { TenantId } from '../../src/ids.ts';
import { A1, ACME, failure, grantOf, singleCore } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';
import { docxParts, packageOf, paragraph } from '../support/office.ts';
import { linesOnPage, pdfOf } from '../support/pdf.ts';
import { blot, keep, rows, textsOf } from './text-site.ts';

const PAGE = '<!doctype html><title>t</title><script>alert(1)</script><h1>Größe</h1><p>one <b>two</b></p>';
const PDF = pdfOf([linesOnPage(['of a page'])]);
const DOCX = packageOf(docxParts(paragraph('of a letter')));
const LOOPS = '<div>'.repeat(1_000_000);
const HOUR = 3_600_000;

describe.each(DATABASES)('texts on $name', (kind) => {
  it('are kept once read, deflated, for every object of the content, and go with it', async () => {
    await using one = await singleCore(kind);
    const objects = [await keep(one, 'a.html', PAGE), await keep(one, 'b.html', PAGE)];
    await one.core.texts.of(grantOf(), objects[0]?.id ?? fail());
    expect(await rows(one)).toEqual([{ tenant: ACME, format: 'html', version: 1, reason: null }]);
    const { text } = await one.db.selectFrom('texts').select('text').executeTakeFirstOrThrow();
    expect(inflateRawSync(text ?? Buffer.of()).toString()).toBe('Größe\n\none two');
    await blot(one);
    for (const { id } of objects) expect(await one.core.texts.of(grantOf(), id)).toBeNull();
    for (const [n, { id }] of objects.entries()) {
      await one.core.objects.remove(grantOf(), id);
      expect(await rows(one)).toHaveLength(1 - n);
    }
  });

  it('that were read from a content that goes meanwhile are kept nowhere', async () => {
    await using one = await singleCore(kind);
    const { id } = await keep(one, 'a.html', PAGE);
    const asked = one.core.texts.of(grantOf(), id);
    await Promise.allSettled([asked, one.core.objects.remove(grantOf(), id)]);
    expect(await rows(one)).toEqual([]);
  });

  it('go with their tenant, and none sees another’s', async () => {
    await using one = await singleCore(kind);
    const other = 'other' as TenantId;
    await one.core.tenants.admit(other);
    const { id } = await keep(one, 'a.html', PAGE);
    await one.core.texts.of(grantOf(), id);
    await blot(one);
    const theirs = await keep(one, 'a.html', PAGE, grantOf(other));
    expect(await one.core.texts.of(grantOf(other), theirs.id)).toBe('Größe\n\none two');
    await one.core.tenants.remove(ACME);
    expect(await rows(one)).toEqual([{ tenant: other, format: 'html', version: 1, reason: null }]);
  });
});

const [SQLITE = fail()] = DATABASES;

function fail(): never {
  throw new Error('something is missing here');
}

describe('texts', () => {
  it('are each reading’s own: as what a file is read, and by which version', async () => {
    await using one = await singleCore(SQLITE);
    const page = await keep(one, 'a.html', PAGE);
    const same = await keep(one, 'a.txt', PAGE);
    expect(await one.core.texts.of(grantOf(), page.id)).toBe('Größe\n\none two');
    expect(await one.core.texts.of(grantOf(), same.id)).toBe(PAGE);
    await blot(one);
    await one.db.updateTable('texts').set({ version: 0 }).execute();
    expect(await one.core.texts.of(grantOf(), page.id)).toBe('Größe\n\none two');
    expect(await rows(one)).toEqual([{ tenant: ACME, format: 'html', version: 1, reason: null }]);
  });

  it('are those of documents, by the type that content and name tell, and of nothing else', async () => {
    await using one = await singleCore(SQLITE);
    const textOf = async (name: string, content: string | Buffer) =>
      one.core.texts.of(grantOf(), (await keep(one, name, content)).id);
    expect(await textOf('a.txt', 'plain ✓\r\n')).toBe('plain ✓\r\n');
    expect(await textOf('a.md', '# title\n')).toBe('# title\n');
    expect(await textOf('a.html', PAGE)).toBe('Größe\n\none two');
    expect(await textOf('no name at all', PDF)).toBe('of a page');
    expect(await textOf('a.docx', DOCX)).toBe('of a letter\n');
    expect(await textOf('a.bin', 'binary')).toBeNull();
    expect(await textOf('latin.txt', Buffer.from('Größe', 'latin1'))).toBeNull();
    expect(await textOf('blank.txt', ' \n ')).toBeNull();
    expect(await textOf('empty.pdf', '')).toBeNull();
    expect(await textOf('broken.pdf', 'no such thing')).toBeNull();
  });

  it('are of those objects that a grant reaches', async () => {
    await using one = await singleCore(SQLITE);
    const { id } = await keep(one, 'a.txt', 'x');
    await one.core.tenants.admit('other' as TenantId);
    for (const [grant, code] of [
      [grantOf('other' as TenantId), 'not_found'],
      [grantOf(ACME, { user: 'u' }), 'not_found'],
      [grantOf(ACME, { agent: A1 }), 'not_found'],
      [grantOf(ACME, { scopes: new Set(['files:write'] as const) }), 'forbidden'],
    ] as const) {
      expect(await failure(one.core.texts.of(grant, id))).toMatchObject({ code });
    }
  });

  it('that are not to be had are remembered as such, those that cost too much for an hour', async () => {
    await using one = await singleCore(SQLITE);
    let now = new Date('2026-01-15');
    await using patient = textsOf(one, {}, () => now);
    await using hasty = textsOf(one, { timeMs: 100 }, () => now);
    const [broken, loops] = [await keep(one, 'a.pdf', 'no such thing'), await keep(one, 'a.html', LOOPS)];
    expect(await patient.of(grantOf(), broken.id)).toBeNull();
    expect(await hasty.of(grantOf(), loops.id)).toBeNull();
    const kept = async () => {
      const found = await one.db.selectFrom('texts').select(['reason', 'read_at']).orderBy('format').execute();
      return found.map(({ reason, read_at }) => `${reason} at ${new Date(read_at).toISOString()}`);
    };
    const [begin, before] = [now.toISOString(), await kept()];
    expect(before).toEqual([`costly at ${begin}`, `unreadable at ${begin}`]);
    now = new Date(now.getTime() + HOUR - 1);
    for (const { id } of [broken, loops]) expect(await hasty.of(grantOf(), id)).toBeNull();
    expect(await kept()).toEqual(before);
    now = new Date(now.getTime() + 1);
    for (const { id } of [broken, loops]) expect(await hasty.of(grantOf(), id)).toBeNull();
    expect(await kept()).toEqual([`costly at ${now.toISOString()}`, `unreadable at ${begin}`]);
  });

  it('of a document that has to wait too long are null, and read when asked for again', async () => {
    await using one = await singleCore(SQLITE);
    await using texts = textsOf(one, { timeMs: 60_000, waitMs: 50 });
    const [loops, page] = [await keep(one, 'a.html', LOOPS), await keep(one, 'b.html', PAGE)];
    const slow = texts.of(grantOf(), loops.id);
    expect(await texts.of(grantOf(), page.id)).toBeNull();
    await texts.close();
    expect(await slow).toBeNull();
    expect(await rows(one)).toEqual([]);
    expect(await one.core.texts.of(grantOf(), page.id)).toBe('Größe\n\none two');
  });

  it('of one tenant’s costly documents keep no other tenant waiting', async () => {
    await using one = await singleCore(SQLITE);
    const other = grantOf('other' as TenantId);
    await one.core.tenants.admit(other.tenant);
    await using texts = textsOf(one, { timeMs: 60_000 });
    const hostile = await Promise.all([1, 2, 3].map((n) => keep(one, 'a.html', `${LOOPS}${n}`)));
    const page = await keep(one, 'b.html', PAGE, other);
    const slow = hostile.map(({ id }) => texts.of(grantOf(), id));
    expect(await texts.of(other, page.id)).toBe('Größe\n\none two');
    await texts.close();
    expect(await Promise.all(slow)).toEqual([null, null, null]);
    expect((await rows(one)).map(({ tenant }) => tenant)).toEqual(['other']);
  });

  it('are read once for all who ask at the same time', async () => {
    await using one = await singleCore(SQLITE);
    const page = await keep(one, 'a.html', PAGE);
    const asked = Array.from({ length: 200 }, () => one.core.texts.of(grantOf(), page.id));
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['Größe\n\none two']));
  });

  it('are cut at the limit, and documents beyond theirs are not read', async () => {
    await using one = await singleCore(SQLITE);
    await using texts = textsOf(one, { maxTextBytes: 7, maxBytes: 1000 });
    const of = async (name: string, content: string) => texts.of(grantOf(), (await keep(one, name, content)).id);
    expect(await of('a.txt', `éééé${'x'.repeat(5000)}`)).toBe('ééé');
    expect(await of('a.html', '<p>éééé')).toBe('ééé');
    expect(await of('b.html', `<p>${'x'.repeat(1000)}`)).toBeNull();
    expect(await rows(one)).toHaveLength(1);
  });
});
