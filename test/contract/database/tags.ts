import { sql } from 'kysely';
import * as attributes from '../../../src/db/attributes.ts';
import { tags as tagsMigration } from '../../../src/db/migrations/0003-tags.ts';
import { keyHash } from '../../../src/db/path-key.ts';
import type { Database } from '../../../src/db/schema.ts';
import * as tags from '../../../src/db/tags.ts';
import { longPath } from './long-paths.ts';

const PAGE = { within: '', after: null, limit: 1000 };

export function describeTags(db: () => Database): void {
  const of = (tenant: string) => ({ tenant, part: 'store' });
  const put = (tenant: string, path: string, ...words: readonly string[]) =>
    attributes.putAttributes(db(), of(tenant), path, { tags: JSON.stringify(words) });
  /** Thousands of them, without asking as often; as before there was a table of tags. */
  const putWithoutTags = async (
    tenant: string,
    paths: readonly string[],
    wordsOf: (n: number) => readonly string[],
  ) => {
    const rows = paths.map((path, n) => {
      return { ...of(tenant), path_hash: keyHash(path), path, tags: JSON.stringify(wordsOf(n)), metadata: '{}' };
    });
    await db().insertInto('attributes').values(rows).execute();
    return rows;
  };
  const tagged = async (tenant: string, words: readonly string[], page: Partial<tags.TagQuestion> = {}) =>
    [...(await tags.pathsTagged(db(), of(tenant), { ...PAGE, ...page, tags: words }))].sort();
  const rowsOf = async (tenant: string) =>
    (await db().selectFrom('tags').select('path').where('tenant', '=', tenant).execute()).length;

  describe('tags', () => {
    it('find the paths that have all of them, of one volume', async () => {
      await put('find', 'a', 'x', 'y');
      await put('find', 'b', 'x');
      await put('find', 'c', 'y', 'z');
      await put('found', 'd', 'x', 'y');
      await attributes.putAttributes(db(), { tenant: 'find', part: 'workspace/a1' }, 'e', { tags: '["x"]' });
      expect(await tagged('find', ['x'])).toEqual(['a', 'b']);
      expect(await tagged('find', ['y', 'x'])).toEqual(['a']);
      expect(await tagged('find', ['x', 'x'])).toEqual(['a', 'b']);
      expect(await tagged('find', ['x', 'y', 'z'])).toEqual([]);
      expect(await tagged('find', ['X'])).toEqual([]);
    });

    it('are those said last, and stay where only the metadata is set', async () => {
      await put('last', 'a', 'x', 'y', 'x');
      await put('last', 'a', 'y', 'z');
      await attributes.putAttributes(db(), of('last'), 'a', { metadata: '{"k":1}' });
      expect([await tagged('last', ['x']), await tagged('last', ['z', 'y'])]).toEqual([[], ['a']]);
      await put('last', 'a');
      expect(await rowsOf('last')).toBe(0);
    });

    it('may be any text', async () => {
      const odd = ['', '\0', 'a\0b', '\ud83d', '\ude00', '😀', '%', "it's", 'x'.repeat(5000), '["x"]'];
      for (const [n, tag] of odd.entries()) await put('odd', `f${n}`, tag);
      for (const [n, tag] of odd.entries()) expect(await tagged('odd', [tag])).toEqual([`f${n}`]);
    });

    it('are looked for at or below a directory, not beside it', async () => {
      for (const path of ['', 'd', 'd/f', 'd/g/h', 'd-', 'd0', 'dd/f', 'caf\udce9/f']) await put('within', path, 'x');
      expect(await tagged('within', ['x'], { within: 'd' })).toEqual(['d', 'd/f', 'd/g/h']);
      expect(await tagged('within', ['x'], { within: 'caf\udce9' })).toEqual(['caf\udce9/f']);
      expect(await tagged('within', ['x'])).toHaveLength(8);
      expect(await tagged('within', ['x'], { within: 'no' })).toEqual([]);
    });

    it('are given page by page, each path once, also while others come and go', async () => {
      const long = [longPath(), longPath()];
      const paths = [...Array.from({ length: 25 }, (_, n) => `d/${n}`), ...long].sort();
      for (const path of paths) await put('pages', path, 'x', 'y');
      const seen: string[] = [];
      for (let after: string | null = null; ; ) {
        const page = await tags.pathsTagged(db(), of('pages'), { within: '', tags: ['y', 'x'], after, limit: 4 });
        seen.push(...page);
        if (page.length < 4) break;
        after = page.at(-1) ?? null;
        // What was the end of a page may be gone when the next is asked for.
        if (after !== null) await attributes.deleteAttributes(db(), of('pages'), after);
      }
      expect(seen.sort()).toEqual(paths);
    });

    it('follow thousands of paths through move and copy, and die with them', async () => {
      const names = Array.from({ length: 2000 }, (_, n) => `d/${n % 40}/${n}`);
      const rows = await putWithoutTags('many', names, (n) => ['all', `only ${n % 2}`]);
      await tags.enterTags(db(), of('many'), rows);
      await attributes.moveAttributes(db(), of('many'), 'd', 'e');
      await attributes.copyAttributes(db(), of('many'), 'e', 'f');
      expect(await tagged('many', ['all'], { within: 'd', limit: 9000 })).toEqual([]);
      expect(await tagged('many', ['all'], { limit: 9000 })).toHaveLength(4000);
      expect(await tagged('many', ['all', 'only 1'], { within: 'f', limit: 9000 })).toHaveLength(1000);
      await attributes.deleteAttributes(db(), of('many'), 'e');
      expect(await tagged('many', ['all'], { within: 'e' })).toEqual([]);
      await attributes.moveAttributes(db(), of('many'), 'f/1', 'f/2');
      expect(await tagged('many', ['all'], { within: 'f', limit: 9000 })).toHaveLength(1950);
      await attributes.deleteAttributes(db(), of('many'), '');
      expect(await rowsOf('many')).toBe(0);
    });

    it('are entered for what was said before there was a table of them', async () => {
      const paths = Array.from({ length: 700 }, (_, n) => `old/${n}`);
      await putWithoutTags('old', paths, () => ['x', 'y', 'x']);
      const types = { text: sql`text`, integer: sql`integer`, bytes: sql`blob`, tableEnd: sql`` };
      const undone = db()
        .transaction()
        .execute(async (tx) => {
          await sql`drop table tags`.execute(tx);
          await tagsMigration.up(tx, types);
          const found = await tags.pathsTagged(tx, of('old'), { ...PAGE, tags: ['y', 'x'] });
          const rows = await tx.selectFrom('tags').select('path').where('tenant', '=', 'old').execute();
          expect([found.length, rows.length]).toEqual([700, 1400]);
          throw new Error('undo');
        });
      await expect(undone).rejects.toThrow('undo');
    });
  });
}
