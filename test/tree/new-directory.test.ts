import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { FsError } from '../../src/errors.ts';
import { parsePath as p, pathFromBytes, ROOT } from '../../src/tree/path.ts';
import type { NewAttributes, NewDirectory } from '../../src/tree/staging.ts';
import { linesOf } from '../support/scenario.ts';
import { type TemporaryHome, temporaryHome } from '../support/tree.ts';

const PLAIN: NewAttributes = { mode: 0o644, modifiedAt: null };
const AT = new Date('2020-02-02T02:02:02.000Z');

function write(directory: NewDirectory, path: string, content: string | Buffer, attributes = PLAIN): Promise<void> {
  const chunks = typeof content === 'string' ? [Buffer.from(content)] : [content];
  return directory.write(p(path), Readable.from(chunks), { ...attributes, onBytes: () => undefined });
}

const staging = (home: TemporaryHome) => join(dirname(home.hostPath), 'staging');
const items = (home: TemporaryHome) => readdirSync(staging(home));
const modeOf = (home: TemporaryHome, path: string) => lstatSync(home.at(path)).mode & 0o7777;

describe('a directory made in staging', () => {
  it('appears whole, with the modes and times it was told, and counts what it holds', async () => {
    using home = await temporaryHome([], { durability: 'fsync' });
    const large = Buffer.alloc(900_000, 'large');
    const directory = await home.staging.directory(p('out'));
    await directory.mkdir(p('d'), { mode: 0o755, modifiedAt: null });
    await write(directory, 'd/small', 'small', { mode: 0o4755, modifiedAt: AT });
    await write(directory, 'd/large', large, { mode: 0o600, modifiedAt: AT });
    await write(directory, 'empty', Buffer.alloc(0));
    let copied = 0;
    const onBytes = (bytes: number) => {
      copied += bytes;
    };
    await directory.copy(p('d/small'), p('twin'), { mode: 0o400, modifiedAt: AT, onBytes });
    expect(copied).toBe(5);
    await directory.symlink(p('d/link'), '../twin');
    await directory.mkdir(p('d'), { mode: 0o500, modifiedAt: AT });
    const whole = await directory.finish();
    expect(await linesOf(home.hostPath)).toEqual([]);
    expect(whole).toMatchObject({ kind: 'directory', bytes: 900_010, files: 7 });
    await home.tree.place(p('out'), whole, 'create');
    await directory.discard();
    expect(await home.tree.count()).toEqual({ bytes: 900_010, files: 7 });
    expect(readFileSync(home.at('out/d/large')).equals(large)).toBe(true);
    expect(readFileSync(home.at('out/twin'), 'utf8')).toBe('small');
    expect(['out', 'out/d', 'out/d/small', 'out/d/large', 'out/twin'].map((path) => modeOf(home, path))).toEqual([
      ...[0o755, 0o500, 0o755, 0o600, 0o400],
    ]);
    for (const path of ['d', 'd/small', 'd/large', 'twin']) expect(lstatSync(home.at(`out/${path}`)).mtime).toEqual(AT);
    expect(items(home)).toEqual([]);
  });

  it('can be placed in parts, names that are not UTF-8 among them, and the rest is discarded', async () => {
    using home = await temporaryHome(['there/']);
    const odd = pathFromBytes(Buffer.from([0x6f, 0x64, 0x64, 0xff]));
    const directory = await home.staging.directory(p('there'));
    await directory.mkdir(p('a'), { mode: 0o500, modifiedAt: null });
    await write(directory, 'a/f', 'one');
    await write(directory, 'rest', 'rest');
    await directory.write(odd, Readable.from([Buffer.from('odd')]), { ...PLAIN, onBytes: () => undefined });
    await directory.finish();
    const parts = new Map((await Array.fromAsync(directory.parts(ROOT))).map((part) => [part.path, part]));
    expect([...parts.keys()].sort()).toEqual(['a', odd, 'rest'].sort());
    const [a, named] = [parts.get(p('a')), parts.get(odd)];
    if (a === undefined || named === undefined) throw new Error('both were just seen');
    expect([a, named]).toMatchObject([
      { kind: 'directory', bytes: 3, files: 2 },
      { kind: 'file', bytes: 3, files: 1 },
    ]);
    await home.tree.place(p('there/a'), a, 'create');
    await home.tree.place(pathFromBytes(Buffer.from([0x78, 0xff])), named, 'create');
    expect(modeOf(home, 'there/a')).toBe(0o700);
    await directory.discard();
    const { entries } = await home.tree.list(ROOT, { after: null, limit: 9, depth: 9 });
    expect(entries.map((entry) => entry.path)).toEqual(['there', 'there/a', 'there/a/f', 'x\udcff']);
    expect([items(home), home.root.stagedBytes()]).toEqual([[], 0]);
  });

  it('refuses what has no parent, what is taken, and what no name may be', async () => {
    using home = await temporaryHome();
    const directory = await home.staging.directory(p('x'.repeat(200)));
    await write(directory, 'f', 'f');
    await directory.symlink(p('l'), '.');
    for (const path of ['no/f', 'f/g', 'l/f']) {
      await expect(write(directory, path, 'x')).rejects.toMatchObject({ code: 'not_directory' });
    }
    await expect(directory.mkdir(p('l'), PLAIN)).rejects.toMatchObject({ code: 'exists', detail: { path: 'l' } });
    await expect(write(directory, 'a\\b', 'x')).rejects.toMatchObject({ code: 'invalid_path' });
    await expect(directory.mkdir(ROOT, PLAIN)).resolves.toBeUndefined();
    for (const from of ['no', 'l']) {
      const options = { ...PLAIN, onBytes: () => undefined };
      await expect(directory.copy(p(from), p('g'), options)).rejects.toMatchObject({ code: 'not_found' });
    }
    const deep = `${'y'.repeat(250)}/`.repeat(15) + 'z'.repeat(150);
    await expect(write(directory, deep, 'x')).rejects.toMatchObject({ code: 'invalid_path' });
    await write(directory, 'l', 'x');
    await expect(directory.finish()).rejects.toMatchObject({ code: 'exists' });
    await directory.discard();
    expect(items(home)).toEqual([]);
  });

  it('makes hundreds of small files, each with its own content, and names the one that fails', async () => {
    using home = await temporaryHome([], { durability: 'fsync' });
    const directory = await home.staging.directory(p('out'));
    const contents = Array.from({ length: 300 }, (_, n) => `${n} `.repeat((n * 7919) % 3000));
    await Promise.all(contents.map((content, n) => write(directory, `f${n}`, content)));
    const bytes = contents.reduce((sum, content) => sum + content.length, 0);
    const whole = await directory.finish();
    expect(whole).toMatchObject({ bytes, files: 301 });
    await home.tree.place(p('out'), whole, 'create');
    expect(contents.map((_, n) => readFileSync(home.at(`out/f${n}`), 'utf8'))).toEqual(contents);

    const another = await home.staging.directory(p('other'));
    const names = ['twice', 'twice', ...contents.map((_, n) => `f${n}`)];
    // Those that come after the failure may be told of it, or not yet.
    await Promise.allSettled(names.map((name) => write(another, name, name.repeat(2000))));
    await expect(another.finish()).rejects.toMatchObject({ code: 'exists', detail: { path: 'twice' } });
    await another.discard();
    expect(items(home)).toEqual([]);
  });

  it('stops at the chunk that is refused, destroys the body and leaves nothing', async () => {
    using home = await temporaryHome();
    const directory = await home.staging.directory(p('out'));
    const body = Readable.from([Buffer.alloc(500_000), Buffer.alloc(500_000), Buffer.alloc(1)]);
    let seen = 0;
    const onBytes = (bytes: number) => {
      seen += bytes;
      if (seen > 500_000) throw new FsError('quota_exceeded', 'full');
    };
    await expect(directory.write(p('f'), body, { ...PLAIN, onBytes })).rejects.toMatchObject({
      code: 'quota_exceeded',
    });
    expect([seen, body.destroyed]).toEqual([1_000_000, true]);
    await directory.discard();
    expect(items(home)).toEqual([]);
  });

  it('discards what is still being written', async () => {
    using home = await temporaryHome();
    const directory = await home.staging.directory(p('out'));
    await Promise.all(Array.from({ length: 100 }, (_, n) => write(directory, `f${n}`, 'x'.repeat(10_000))));
    await directory.discard();
    expect(items(home)).toEqual([]);
  });
});
