import type { ArchiveFormat, ArchiveMember } from '../../../src/archive/format.ts';
import {
  directory,
  file,
  listed,
  MODIFIED_AT,
  never,
  pack,
  packed,
  sourceOf,
  symlink,
  unpacked,
} from '../../archive/kit.ts';

const roundTrip = async (format: ArchiveFormat, members: readonly ArchiveMember[], level: number | null = null) =>
  unpacked(format, await packed(format, members, level));

/** What goes in comes out. */
export function describeRoundTrip(format: ArchiveFormat): void {
  it('keeps files, directories and links, in their order', async () => {
    const members = [
      directory('empty'),
      file('z.txt', 'last comes first'),
      file('a/nothing'),
      symlink('a/link', '../z.txt'),
      symlink('dangling', 'no/such/thing'),
      file('big', 'x'.repeat(300_000)),
    ];
    const time = MODIFIED_AT.toISOString();
    expect(await roundTrip(format, members)).toMatchObject([
      { name: 'empty/', kind: 'directory', target: null, content: null, modifiedAt: time },
      { name: 'z.txt', kind: 'file', size: 16, target: null, content: 'last comes first', modifiedAt: time },
      { name: 'a/nothing', kind: 'file', size: 0, content: '', modifiedAt: time },
      { name: 'a/link', kind: 'symlink', target: '../z.txt', modifiedAt: time },
      { name: 'dangling', kind: 'symlink', target: 'no/such/thing' },
      { name: 'big', kind: 'file', size: 300_000, content: 'x'.repeat(300_000) },
    ]);
  });

  it('can be empty', async () => {
    const bytes = await packed(format, []);
    expect(format.recognises(bytes.subarray(0, 512))).toBe(true);
    expect(await unpacked(format, bytes)).toEqual([]);
  });

  it('keeps names as they are: Unicode in both forms, colons, backslashes, spaces, dots, controls', async () => {
    const names = ['é', 'e\u0301', '文件/😀', 'C:/x', 'note: b', 'a\\b', '...', ' ', '-rf', 'a\nb', '#U00e9', 'ﬁ'];
    const seen = await roundTrip(format, [...names.map((name) => file(name)), symlink('l', 'é\\x:y')]);
    expect(seen.map(({ name }) => name)).toEqual([...names, 'l']);
    expect(seen.at(-1)?.target).toBe('é\\x:y');
  });

  it('keeps the bytes of names and targets that are not UTF-8', async () => {
    const odd = Buffer.of(0x6f, 0xff, 0xfe, 0xe9);
    const long = Buffer.alloc(150, 0xff);
    const seen = await roundTrip(format, [file(odd), file(long), symlink('l', odd)]);
    expect(seen.map(({ name }) => name)).toEqual([odd.toString('latin1'), long.toString('latin1'), 'l']);
    expect(seen[2]?.target).toBe(odd.toString('latin1'));
  });

  it('keeps names of any length a tree can have', async () => {
    const long = `${'d'.repeat(255)}/`.repeat(15);
    const names = ['n'.repeat(100), 'n'.repeat(101), 'é'.repeat(127), `${long}${'f'.repeat(255)}`];
    const seen = await roundTrip(format, [...names.map((name) => file(name, 'x')), symlink('l', long)]);
    expect(seen.map(({ name }) => name)).toEqual([...names, 'l']);
    expect(seen.at(-1)?.target).toBe(long);
  });

  it('keeps modes, and never more than permissions', async () => {
    const modes = [0o444, 0o755, 0o600, 0o4755, 0o2755, 0o1777];
    const seen = await roundTrip(format, [
      ...modes.map((mode, index) => file(`f${index}`, '', { mode })),
      directory('d', { mode: 0o700 }),
    ]);
    expect(seen.map(({ mode }) => mode)).toEqual(['444', '755', '600', '755', '755', '777', '700']);
  });

  it('keeps times to the second', async () => {
    const times = ['1970-01-01T00:00:01.000Z', '1999-12-31T23:59:59.000Z', '2026-06-01T12:00:01.000Z'];
    const seen = await roundTrip(
      format,
      times.map((time) => file('f', '', { modifiedAt: new Date(time) })),
    );
    expect(seen.map(({ modifiedAt }) => modifiedAt)).toEqual(times);
  });

  it('is the same at every level, and smaller at 9 than at 1', async () => {
    const text = Array.from({ length: 5000 }, (_, n) => `${n} ${(n * 7919) % 104_729}\n`).join('');
    const sizes: number[] = [];
    for (const level of [0, 1, 6, 9, null]) {
      const bytes = await packed(format, [file('f', text)], level);
      sizes.push(bytes.length);
      expect((await unpacked(format, bytes))[0]?.content).toBe(text);
    }
    if (format.name !== 'tar') expect(sizes[3]).toBeLessThan(sizes[1] ?? 0);
  });

  it('is made of the same bytes each time', async () => {
    const members = [directory('d'), file('d/f', 'x'), symlink('l', 'd')];
    expect(await packed(format, members)).toEqual(await packed(format, members));
  });

  it('holds thousands of members', async () => {
    const count = 5_000;
    const members = (function* () {
      for (let n = 0; n < count; n += 1) yield file(`f${n}`);
    })();
    const source = sourceOf(Buffer.concat(await pack(format, listed(members), 1).toArray()));
    let seen = 0;
    for await (const entry of format.unpack(source, never)) {
      if (entry.name.toString() !== `f${seen}`) throw new Error(`${entry.name} is not f${seen}`);
      seen += 1;
    }
    expect(seen).toBe(count);
  });
}
