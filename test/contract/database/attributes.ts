import * as attributes from '../../../src/db/attributes.ts';
import { fromPathKey, pathHash } from '../../../src/db/path-key.ts';
import type { Database } from '../../../src/db/schema.ts';
import { longPath } from './long-paths.ts';

/** Names that a prefix or a pattern would get wrong. */
const ODD = [
  'plain',
  '100%',
  'under_score',
  '\u{1f600}',
  'caf\udce9',
  '\u0001mark',
  '[a-z]*',
  "it's",
  'a b',
  'é',
  '\uffff',
];

export function describeAttributes(db: () => Database): void {
  const of = (tenant: string) => ({ tenant, part: 'store' });
  const put = (tenant: string, path: string, tag = path) => {
    return attributes.putAttributes(db(), of(tenant), path, { tags: JSON.stringify([tag]), metadata: '{}' });
  };
  const paths = async (tenant: string) => {
    const rows = await db().selectFrom('attributes').select('path').where('tenant', '=', tenant).execute();
    return rows.map(({ path }) => fromPathKey(path)).sort();
  };

  describe('attributes', () => {
    it('are put, replaced and deleted by path', async () => {
      await put('put', 'a');
      await put('put', 'a', 'other');
      expect(await attributes.getAttributes(db(), of('put'), 'a')).toEqual({ tags: '["other"]', metadata: '{}' });
      expect(await attributes.getAttributes(db(), of('put'), 'b')).toBeNull();
      expect(await attributes.getAttributes(db(), { tenant: 'put', part: 'workspace/x' }, 'a')).toBeNull();
      await attributes.deleteAttributes(db(), of('put'), 'a');
      expect(await attributes.getAttributes(db(), of('put'), 'a')).toBeNull();
    });

    it.each(ODD)('move with the directory %j and leave its neighbours', async (name) => {
      const tenant = `move ${encodeURIComponent(name.toWellFormed())}`;
      const neighbours = [`${name}-`, `${name}0`, `${name}x/y`, `x${name}/y`];
      const inside = ['', '/file', '/\u{1f600}/deep', '/caf\udce9', '/\u0001'];
      for (const path of [...neighbours, ...inside.map((below) => name + below)]) await put(tenant, path);
      await put(tenant, 'to/\udcff/replaced');
      await put(tenant, 'to/\udcff');
      await attributes.moveAttributes(db(), of(tenant), name, 'to/\udcff');
      expect(await paths(tenant)).toEqual([...neighbours, ...inside.map((below) => `to/\udcff${below}`)].sort());
      const moved = await attributes.getAttributes(db(), of(tenant), 'to/\udcff/\u{1f600}/deep');
      expect(moved?.tags).toBe(JSON.stringify([`${name}/\u{1f600}/deep`]));
    });

    it('are copied with everything below and stay where they were', async () => {
      for (const path of ['a', 'a/1', 'a/2/3', 'ab', 'b/old']) await put('copy', path);
      await attributes.copyAttributes(db(), of('copy'), 'a', 'b');
      expect(await paths('copy')).toEqual(['a', 'a/1', 'a/2/3', 'ab', 'b', 'b/1', 'b/2/3']);
    });

    it('go with everything below, of the root all', async () => {
      for (const path of ['', 'a', 'a/b', 'a0', 'a-b', ...ODD]) await put('delete', path);
      await attributes.deleteAttributes(db(), of('delete'), 'a');
      expect(await paths('delete')).toEqual(['', 'a0', 'a-b', ...ODD].sort());
      await attributes.deleteAttributes(db(), of('delete'), '');
      expect(await paths('delete')).toEqual([]);
    });

    it('stay with their path, however long it is or becomes, and however many they are', async () => {
      const long = Array.from({ length: 3 }, longPath);
      const names = [...long, ...Array.from({ length: 700 }, (_, n) => `${long[0]?.slice(0, 600)}-${n}`)];
      const below = (dir: string) => names.map((name) => `${dir}/${name}`);
      // In one statement: so many at once would wait for a connection each.
      const rows = [...below('d'), ...below('d-')].map((path) => {
        return { ...of('long'), path_hash: pathHash(path), path, tags: JSON.stringify([path]), metadata: '{}' };
      });
      await db().insertInto('attributes').values(rows).execute();
      const to = `longer/${'\u{1f600}'.repeat(60)}`;
      await attributes.moveAttributes(db(), of('long'), 'd', to);
      await attributes.copyAttributes(db(), of('long'), to, 'e');
      expect(await paths('long')).toEqual([...below('d-'), ...below(to), ...below('e')].sort());
      const copied = await attributes.getAttributes(db(), of('long'), `e/${long[1]}`);
      expect(copied?.tags).toBe(JSON.stringify([`d/${long[1]}`]));
      await attributes.moveAttributes(db(), of('long'), `${to}/${long[2]}`, `e/${long[0]}`);
      expect(await paths('long')).toHaveLength(names.length * 3 - 1);
      await attributes.deleteAttributes(db(), of('long'), 'e');
      await attributes.deleteAttributes(db(), of('long'), to);
      expect(await paths('long')).toEqual(below('d-').sort());
    });
  });
}
