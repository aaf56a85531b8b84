import { linkSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { Entry } from '../../src/tree/entry.ts';
import { parsePath as p, ROOT, type TreePath } from '../../src/tree/path.ts';
import type { Staged } from '../../src/tree/staging.ts';
import type { TemporaryHome, temporaryHome } from '../support/tree.ts';

/** What every engine promises when nobody interferes. */
export function describeTree(name: string, open: typeof temporaryHome): void {
  describe(`a tree held by ${name}`, () => {
    describeReading(open);
    describePlacing(open);
    describeMoving(open);
    describeRemoving(open);
    describeAttributes(open);
  });
}

export function staged(home: TemporaryHome, text: string): Promise<Staged> {
  return home.staging.receive(Readable.from([Buffer.from(text)]), { maxBytes: 1 << 20 });
}

async function pathsOf(entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path } of entries) paths.push(path);
  return paths;
}

function describeReading(open: typeof temporaryHome): void {
  it('stat tells kinds, sizes and targets, and follows nothing', async () => {
    using home = await open(['a/f: 12345', 'a/l => ../b']);
    expect(await home.tree.stat(p('a/f'))).toMatchObject({ path: 'a/f', kind: 'file', size: 5, charged: 5, links: 1 });
    expect(await home.tree.stat(p('a/l'))).toMatchObject({ kind: 'symlink', size: 4, target: '../b', charged: 0 });
    expect(await home.tree.stat(p('a'))).toMatchObject({ kind: 'directory', size: 0, target: null });
    expect(await home.tree.stat(ROOT)).toMatchObject({ path: '', kind: 'directory' });
  });

  it('says what is in the way', async () => {
    using home = await open(['d/f: x', 'l => d']);
    await expect(home.tree.stat(p('no/such/thing'))).rejects.toMatchObject({ code: 'not_found' });
    await expect(home.tree.stat(p('d/f/x'))).rejects.toMatchObject({ code: 'not_directory', detail: { path: 'd/f' } });
    await expect(home.tree.stat(p('l/f'))).rejects.toMatchObject({ code: 'symlink', detail: { path: 'l' } });
    expect(await home.tree.find(p('no/such/thing'))).toBeNull();
    await expect(home.tree.find(p('l/f'))).rejects.toMatchObject({ code: 'symlink' });
  });

  it('open reads whole, in part, and from the file it opened', async () => {
    using home = await open(['f: 0123456789', 'd/', 'l => f']);
    const file = await home.tree.open(p('f'));
    await home.tree.place(p('f'), await staged(home, 'other'), 'update');
    expect((await file.bytes(10)).toString()).toBe('0123456789');
    await expect(file.bytes(9)).rejects.toMatchObject({ code: 'too_large' });
    expect((await file.slice(7, 3)).toString()).toBe('789');
    expect((await file.slice(10, 0)).toString()).toBe('');
    const part: Buffer[] = await file.stream({ start: 2, end: 4 }).toArray();
    expect(Buffer.concat(part).toString()).toBe('234');
    await expect(home.tree.open(p('d'))).rejects.toMatchObject({ code: 'is_directory' });
    await expect(home.tree.open(ROOT)).rejects.toMatchObject({ code: 'is_directory' });
    await expect(home.tree.open(p('l'))).rejects.toMatchObject({ code: 'symlink' });
  });

  it('walk visits a directory before its content, within its bounds, and says when it was cut off', async () => {
    using home = await open(['a/b/c/d: x', 'a/e', 'l => a', 'empty/']);
    const unbounded = { depth: 9, entries: 99 };
    const all = await pathsOf(home.tree.walk(ROOT, unbounded));
    expect(all.toSorted()).toEqual(['a', 'a/b', 'a/b/c', 'a/b/c/d', 'a/e', 'empty', 'l']);
    expect(all.indexOf('a/b')).toBeLessThan(all.indexOf('a/b/c'));
    expect((await pathsOf(home.tree.walk(p('a/b'), unbounded))).toSorted()).toEqual(['a/b/c', 'a/b/c/d']);
    const cut: string[] = [];
    const onLimit = (which: string) => cut.push(which);
    expect((await pathsOf(home.tree.walk(ROOT, { depth: 2, entries: 99, onLimit }))).toSorted()).toEqual([
      ...['a', 'a/b', 'a/e', 'empty', 'l'],
    ]);
    expect(await pathsOf(home.tree.walk(ROOT, { depth: 9, entries: 3, onLimit }))).toHaveLength(3);
    expect(await pathsOf(home.tree.walk(ROOT, { depth: 4, entries: 7, onLimit }))).toHaveLength(7);
    expect(cut).toEqual(['depth', 'entries']);
  });

  it('walk and count stop at a signal', async () => {
    using home = await open(['a/b: x']);
    const signal = AbortSignal.abort();
    await expect(pathsOf(home.tree.walk(ROOT, { depth: 9, entries: 9, signal }))).rejects.toThrow('aborted');
    await expect(home.tree.count(signal)).rejects.toThrow('aborted');
  });

  it('count counts each inode once', async () => {
    using home = await open(['a/f: 12345', 'g: 123', 'l => g', 'd/']);
    linkSync(home.at('a/f'), home.at('d/again'));
    expect(await home.tree.count()).toEqual({ bytes: 8, files: 5 });
  });
}

function describePlacing(open: typeof temporaryHome): void {
  it('place creates, updates and upserts, and nothing else', async () => {
    using home = await open(['d/', 'old: 1']);
    const place = async (path: string, mode: 'create' | 'update' | 'upsert') =>
      home.tree.place(p(path), await staged(home, 'new'), mode);
    expect(await place('d/f', 'create')).toMatchObject({ entry: { path: 'd/f', size: 3 }, replaced: null });
    await expect(place('d/f', 'create')).rejects.toMatchObject({ code: 'exists' });
    await expect(place('d/g', 'update')).rejects.toMatchObject({ code: 'not_found' });
    expect(await place('old', 'update')).toMatchObject({ replaced: { path: 'old', size: 1 } });
    expect(await place('d/g', 'upsert')).toMatchObject({ replaced: null });
    await expect(place('d', 'upsert')).rejects.toMatchObject({ code: 'is_directory' });
    await expect(place('no/f', 'create')).rejects.toMatchObject({ code: 'not_found' });
    await expect(place('back\\slash', 'create')).rejects.toMatchObject({ code: 'invalid_path' });
    expect(readFileSync(home.at('old'), 'utf8')).toBe('new');
    expect(await home.tree.stat(p('d/f'))).toMatchObject({ links: 1 });
  });

  it('place tells the version that the next stat tells', async () => {
    using home = await open();
    for (const mode of ['create', 'upsert'] as const) {
      const { entry } = await home.tree.place(p('f'), await staged(home, mode), mode);
      expect(entry).toEqual(await home.tree.stat(p('f')));
    }
  });

  it('place replaces a link, not what it points to, and a hard link, not its other names', async () => {
    using home = await open(['f: same', 'l => f']);
    linkSync(home.at('f'), home.at('hard'));
    await home.tree.place(p('l'), await staged(home, 'new'), 'upsert');
    await home.tree.place(p('hard'), await staged(home, 'new'), 'update');
    expect(readFileSync(home.at('f'), 'utf8')).toBe('same');
    expect(readFileSync(home.at('l'), 'utf8')).toBe('new');
  });

  it('place keeps aside what it replaces, and restore brings it back', async () => {
    using home = await open(['f: before', 'l => target']);
    const reads = { f: () => readFileSync(home.at('f'), 'utf8'), l: () => readlinkSync(home.at('l')) };
    for (const path of ['f', 'l'] as const) {
      const aside = home.staging.asideName('run1');
      await home.tree.place(p(path), await staged(home, 'after'), 'upsert', aside);
      expect(readFileSync(home.at(path), 'utf8')).toBe('after');
      expect(await home.staging.restore(home.tree, aside, p(path))).toBe(true);
      expect(reads[path]()).toBe(path === 'f' ? 'before' : 'target');
      expect(await home.staging.restore(home.tree, aside, p(path))).toBe(false);
    }
    expect((await home.tree.stat(p('f'))).links).toBe(1);
  });

  it('restore of what was never replaced leaves one name', async () => {
    using home = await open(['f: before']);
    const aside = home.staging.asideName('run1');
    linkSync(home.at('f'), `${home.hostPath}/../staging/${aside}`);
    expect(await home.staging.restore(home.tree, aside, p('f'))).toBe(true);
    expect(await home.tree.stat(p('f'))).toMatchObject({ links: 1, size: 6 });
  });

  it('mkdir makes parents and tells which', async () => {
    using home = await open(['a/f: x', 'l => a']);
    expect(await home.tree.mkdir(p('a/b/c'))).toEqual(['a/b', 'a/b/c']);
    expect(await home.tree.mkdir(p('a/b/c'))).toEqual([]);
    expect(await home.tree.mkdir(ROOT)).toEqual([]);
    await expect(home.tree.mkdir(p('a/f'))).rejects.toMatchObject({ code: 'exists' });
    await expect(home.tree.mkdir(p('l'))).rejects.toMatchObject({ code: 'exists' });
    await expect(home.tree.mkdir(p('a/f/g'))).rejects.toMatchObject({ code: 'not_directory' });
    await expect(home.tree.mkdir(p('l/g'))).rejects.toMatchObject({ code: 'symlink' });
    await expect(home.tree.mkdir(p('n/o\n'))).rejects.toMatchObject({ code: 'invalid_path' });
    expect(await home.tree.find(p('n'))).toBeNull();
  });
}

function describeMoving(open: typeof temporaryHome): void {
  const cases: readonly [from: string, to: string, overwrite: boolean, code: string][] = [
    ['f', 'g', false, 'exists'],
    ['f', 'd', true, 'exists'],
    ['d', 'e', true, 'exists'],
    ['d', 'd/x', false, 'invalid_request'],
    ['f', 'f', true, 'invalid_request'],
    ['no', 'x', false, 'not_found'],
    ['f', 'no/x', false, 'not_found'],
    ['f', 'l/x', false, 'symlink'],
    ['l/x', 'y', false, 'symlink'],
  ];
  it.each(cases)('move of %s to %s, overwrite %s, is refused: %s', async (from, to, overwrite, code) => {
    using home = await open(['f: f', 'g: g', 'd/x: x', 'e/', 'l => d']);
    await expect(home.tree.move(p(from), p(to), overwrite)).rejects.toMatchObject({ code });
    expect(await home.tree.count()).toEqual({ bytes: 3, files: 6 });
  });

  it('move renames files, links and directories, and overwrites what may be overwritten', async () => {
    using home = await open(['f: f', 'g: gg', 'd/x: x', 'h: h', 'l => nowhere']);
    expect(await home.tree.move(p('f'), p('d/f'), false)).toMatchObject({ entry: { path: 'd/f' }, replaced: null });
    expect(await home.tree.move(p('g'), p('d/f'), true)).toMatchObject({ entry: { size: 2 }, replaced: { size: 1 } });
    expect(await home.tree.move(p('l'), p('d/l'), false)).toMatchObject({ entry: { target: 'nowhere' } });
    expect(await home.tree.move(p('d'), p('h'), true)).toMatchObject({ entry: { kind: 'directory' } });
    const walked = await pathsOf(home.tree.walk(ROOT, { depth: 9, entries: 99 }));
    expect(walked.toSorted()).toEqual(['h', 'h/f', 'h/l', 'h/x']);
  });

  it('move onto another name of the same file leaves one name', async () => {
    using home = await open(['f: f']);
    linkSync(home.at('f'), home.at('g'));
    await home.tree.move(p('f'), p('g'), true);
    expect(await home.tree.find(p('f'))).toBeNull();
    expect(await home.tree.stat(p('g'))).toMatchObject({ links: 1 });
  });
}

function describeRemoving(open: typeof temporaryHome): void {
  it('remove frees files, links, and directories with all they hold', async () => {
    using home = await open(['d/e/f: 12345', 'd/l => /etc', 'f: 1', 'k => f', 'empty/']);
    const remove = (path: TreePath, recursive: boolean) => home.tree.remove(path, { recursive });
    await expect(remove(p('d'), false)).rejects.toMatchObject({ code: 'not_empty' });
    await expect(remove(p('no'), true)).rejects.toMatchObject({ code: 'not_found' });
    expect(await remove(p('k'), false)).toEqual({ bytes: 0, files: 1 });
    expect(await remove(p('f'), false)).toEqual({ bytes: 1, files: 1 });
    expect(await remove(p('empty'), false)).toEqual({ bytes: 0, files: 1 });
    expect(await remove(p('d'), true)).toEqual({ bytes: 5, files: 4 });
    expect(await home.tree.count()).toEqual({ bytes: 0, files: 0 });
  });

  it('remove of the root empties it and keeps its inode', async () => {
    using home = await open(['d/e/f: 12345', 'g: 1']);
    const { inode } = await home.tree.stat(ROOT);
    await expect(home.tree.remove(ROOT, { recursive: false })).rejects.toMatchObject({ code: 'not_empty' });
    expect(await home.tree.remove(ROOT, { recursive: true })).toEqual({ bytes: 6, files: 4 });
    expect(await home.tree.remove(ROOT, { recursive: false })).toEqual({ bytes: 0, files: 0 });
    expect((await home.tree.stat(ROOT)).inode).toBe(inode);
  });

  it('remove counts bytes only where the last name goes', async () => {
    using home = await open(['d/f: 12345', 'd/g: 1']);
    linkSync(home.at('d/f'), home.at('outside-d'));
    linkSync(home.at('d/g'), home.at('d/h'));
    expect(await home.tree.remove(p('d'), { recursive: true })).toEqual({ bytes: 1, files: 2 });
    expect(await home.tree.remove(p('outside-d'), { recursive: false })).toEqual({ bytes: 5, files: 1 });
  });

  it('rmdirIfEmpty removes an empty directory and nothing else', async () => {
    using home = await open(['d/f: 1', 'e/', 'f: 1', 'l => e']);
    for (const path of ['d', 'e', 'f', 'l', 'no', 'no/no', 'l/x', 'f/x']) await home.tree.rmdirIfEmpty(p(path));
    expect((await pathsOf(home.tree.walk(ROOT, { depth: 9, entries: 9 }))).toSorted()).toEqual(['d', 'd/f', 'f', 'l']);
  });
}

function describeAttributes(open: typeof temporaryHome): void {
  it('chmod masks setuid, setgid and sticky, works on what may not be read, and follows no link', async () => {
    using home = await open(['f: 1', 'd/', 'l => f']);
    expect(await home.tree.chmod(p('f'), 0o6000)).toMatchObject({ mode: 0 });
    expect(await home.tree.chmod(p('f'), 0o7640)).toMatchObject({ mode: 0o640 });
    expect(await home.tree.chmod(p('d'), 0o1700)).toMatchObject({ mode: 0o700, kind: 'directory' });
    expect(statSync(home.at('f')).mode & 0o7777).toBe(0o640);
    await expect(home.tree.chmod(p('l'), 0o777)).rejects.toMatchObject({ code: 'symlink' });
    expect(statSync(home.at('f')).mode & 0o7777).toBe(0o640);
  });

  it('chown gives away what is named and keeps the rest, where this process may; a link to nobody', async () => {
    using home = await open(['f: 1', 'd/', 'l => f']);
    const before = statSync(home.at('f'));
    for (const path of ['f', 'd']) await home.tree.chown(p(path), { uid: before.uid, gid: before.gid });
    const given = home.tree.chown(p('f'), { uid: before.uid + 1 });
    if (process.getuid?.() === 0) expect(await given).toMatchObject({ mode: 0o644 });
    else await expect(given).rejects.toMatchObject({ code: 'forbidden' });
    const expected = before.uid + (process.getuid?.() === 0 ? 1 : 0);
    expect([statSync(home.at('f')).uid, statSync(home.at('f')).gid]).toEqual([expected, before.gid]);
    await expect(home.tree.chown(p('l'), { uid: before.uid })).rejects.toMatchObject({ code: 'symlink' });
  });

  it('utimes sets the time of the entry and of no link', async () => {
    using home = await open(['f: 1', 'l => f']);
    const modifiedAt = new Date('2020-02-02T02:02:02Z');
    expect(await home.tree.utimes(p('f'), modifiedAt)).toMatchObject({ modifiedAt });
    await expect(home.tree.utimes(p('l'), new Date(0))).rejects.toMatchObject({ code: 'symlink' });
    expect(statSync(home.at('f')).mtime).toEqual(modifiedAt);
  });

  it('flush skips what vanished', async () => {
    using home = await open(['d/f: 1', 'l => d']);
    await home.tree.flush([ROOT, p('d'), p('d'), p('no'), p('l'), p('d/f')]);
  });
}
