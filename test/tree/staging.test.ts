import { createHash } from 'node:crypto';
import { appendFileSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { FsError } from '../../src/errors.ts';
import { parsePath as p, ROOT } from '../../src/tree/path.ts';
import { staged } from '../contract/tree.contract.ts';
import { type TemporaryHome, temporaryHome } from '../support/tree.ts';

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');
const stagingPath = (home: TemporaryHome): string => join(home.hostPath, '../staging');
const items = (home: TemporaryHome): string[] => readdirSync(stagingPath(home));
const LIMIT = { maxBytes: 1 << 30 };

describe('receive', () => {
  it('counts, hashes and writes whatever the chunks are', async () => {
    using home = await temporaryHome();
    const large = Buffer.alloc((3 << 20) + 7, 'abcdefg');
    const bodies: readonly [name: string, chunks: readonly Buffer[]][] = [
      ['empty', []],
      ['one', [large]],
      ['bytes', Array.from({ length: 5000 }, (_, index) => Buffer.of(index % 256))],
      ['mixed', [Buffer.from('a'), large, Buffer.from('b'), large.subarray(0, 300_000), Buffer.alloc(0)]],
    ];
    for (const [name, chunks] of bodies) {
      const whole = Buffer.concat(chunks);
      const file = await home.staging.receive(Readable.from(chunks), LIMIT);
      expect(file).toMatchObject({ kind: 'file', size: whole.length, charged: whole.length, sha256: sha256(whole) });
      await home.tree.place(p(name), file, 'create');
      expect(readFileSync(home.at(name)).equals(whole)).toBe(true);
    }
    expect(items(home)).toEqual([]);
  });

  it('gives the permission bits asked for, whatever the umask, and no others', async () => {
    using home = await temporaryHome();
    const before = process.umask(0o077);
    try {
      const file = await home.staging.receive(Readable.from([]), { ...LIMIT, mode: 0o6666 });
      expect((await home.tree.place(p('f'), file, 'create')).entry.mode).toBe(0o666);
      expect(statSync(home.at('f')).mode & 0o7777).toBe(0o666);
      expect((await home.tree.place(p('g'), await staged(home, ''), 'create')).entry.mode).toBe(0o644);
    } finally {
      process.umask(before);
    }
  });

  it('stops at its limit, leaves nothing, and leaves the body to whoever answers it', async () => {
    using home = await temporaryHome();
    const body = new PassThrough();
    const receiving = home.staging.receive(body, { maxBytes: 10 });
    body.write(Buffer.alloc(11));
    await expect(receiving).rejects.toMatchObject({ code: 'too_large', detail: { limit: 10 } });
    expect(body.destroyed).toBe(false);
    expect(items(home)).toEqual([]);
  });

  it('asks before it writes, and stops where it is refused', async () => {
    using home = await temporaryHome();
    const asked: number[] = [];
    const onBytes = async (total: number): Promise<void> => {
      asked.push(total);
      if (total > 4) throw new FsError('quota_exceeded', 'full');
    };
    const body = Readable.from([Buffer.from('ab'), Buffer.from('cd'), Buffer.from('ef')]);
    await expect(home.staging.receive(body, { ...LIMIT, onBytes })).rejects.toMatchObject({ code: 'quota_exceeded' });
    expect(asked).toEqual([2, 4, 6]);
    expect(items(home)).toEqual([]);
  });

  it('leaves nothing of a body that is cut off', async () => {
    using home = await temporaryHome();
    const body = new PassThrough();
    const receiving = home.staging.receive(body, LIMIT);
    body.write(Buffer.alloc(1 << 20));
    body.destroy();
    await expect(receiving).rejects.toMatchObject({ code: 'invalid_request' });
    expect(items(home)).toEqual([]);
  });

  it('discard removes what was not placed, and nothing else', async () => {
    using home = await temporaryHome();
    const file = await staged(home, 'x');
    await file.discard();
    await file.discard();
    expect(items(home)).toEqual([]);
    const placed = await staged(home, 'x');
    await home.tree.place(p('f'), placed, 'create');
    await placed.discard();
    expect(readFileSync(home.at('f'), 'utf8')).toBe('x');
  });
});

describe('copy', () => {
  it.each([10, 3 << 20])('keeps %i bytes, mode and time, and masks setuid', async (length) => {
    using home = await temporaryHome();
    const bytes = Buffer.alloc(length, 'xyz');
    writeFileSync(home.at('f'), bytes, { mode: 0o4555 });
    await home.tree.utimes(p('f'), new Date('2020-01-01'));
    const file = await home.staging.copy(await home.tree.open(p('f')));
    expect(file).toMatchObject({ size: length, sha256: sha256(bytes) });
    const { entry } = await home.tree.place(p('g'), file, 'create');
    expect(entry).toMatchObject({ mode: 0o555, modifiedAt: new Date('2020-01-01'), size: length });
    expect(statSync(home.at('g')).mode & 0o7777).toBe(0o555);
    expect(readFileSync(home.at('g')).equals(bytes)).toBe(true);
  });

  it.each([10, 3 << 20])('of %i bytes says conflict where the source changed since it was opened', async (length) => {
    using home = await temporaryHome();
    writeFileSync(home.at('f'), Buffer.alloc(length));
    const source = await home.tree.open(p('f'));
    appendFileSync(home.at('f'), 'more');
    await expect(home.staging.copy(source)).rejects.toMatchObject({ code: 'conflict' });
    expect(items(home)).toEqual([]);
  });

  it.each([10, 3 << 20])(
    'with more at its end makes a new file of %i bytes and more, with its mode',
    async (length) => {
      using home = await temporaryHome();
      const bytes = Buffer.alloc(length, 'xyz');
      writeFileSync(home.at('f'), bytes, { mode: 0o4555 });
      const source = await home.tree.open(p('f'));
      const file = await home.staging.extend(source, Buffer.from('more'));
      expect(file).toMatchObject({ size: length + 4, charged: length + 4 });
      const { entry } = await home.tree.place(p('f'), file, 'update');
      expect(entry).toMatchObject({ mode: 0o555, size: length + 4 });
      expect(statSync(home.at('f')).mode & 0o7777).toBe(0o555);
      expect(readFileSync(home.at('f')).equals(Buffer.concat([bytes, Buffer.from('more')]))).toBe(true);
      // who has the old file open keeps the old one
      expect((await source.bytes(length)).equals(bytes)).toBe(true);
      await source.close();
    },
  );

  it('with more at its end keeps the holes of a sparse file', async () => {
    using home = await temporaryHome();
    writeFileSync(home.at('f'), '');
    truncateSync(home.at('f'), 16 << 20);
    const source = await home.tree.open(p('f'));
    const file = await home.staging.extend(source, Buffer.from('more'));
    await source.close();
    expect(file.size).toBe((16 << 20) + 4);
    expect(file.charged).toBeLessThan(1 << 20);
  });

  it.each([10, 3 << 20])(
    'with more at its end, of %i bytes, says conflict where the source changed',
    async (length) => {
      using home = await temporaryHome();
      writeFileSync(home.at('f'), Buffer.alloc(length, 'x'));
      const source = await home.tree.open(p('f'));
      appendFileSync(home.at('f'), 'theirs');
      await expect(home.staging.extend(source, Buffer.from('ours'))).rejects.toMatchObject({ code: 'conflict' });
      await source.close();
      expect(items(home)).toEqual([]);
    },
  );

  it('a file that shrinks while it is sent destroys the stream with conflict', async () => {
    using home = await temporaryHome();
    writeFileSync(home.at('f'), Buffer.alloc(1 << 20));
    const file = await home.tree.open(p('f'));
    writeFileSync(home.at('f'), 'short');
    await expect(file.stream().toArray()).rejects.toMatchObject({ code: 'conflict' });
  });

  it('copyDirectory copies all it holds, and asks for what it adds', async () => {
    using home = await temporaryHome(['d/a: 1', 'd/e/b: 22', 'd/l => ../..', 'd/empty/']);
    await home.tree.chmod(p('d/e'), 0o500);
    const asked = { bytes: 0, files: 0 };
    const copy = await home.staging.copyDirectory(home.tree, p('d'), async (bytes, files) => {
      asked.bytes += bytes;
      asked.files += files;
    });
    expect(asked).toEqual({ bytes: 3, files: 5 });
    expect(copy).toMatchObject({ kind: 'directory', bytes: 3, files: 6 });
    await home.tree.place(p('c'), copy, 'create');
    const { entries } = await home.tree.list(p('c'), { after: null, limit: 99, depth: 9 });
    expect(entries.map(({ path, target }) => target ?? path)).toEqual(['c/a', 'c/e', 'c/e/b', 'c/empty', '../..']);
    expect(entries[1]).toMatchObject({ mode: 0o500 });
  });

  it('copyDirectory that is refused leaves nothing', async () => {
    using home = await temporaryHome(['d/a: 1']);
    const refuse = async (): Promise<void> => Promise.reject(new FsError('quota_exceeded', 'full'));
    const copying = home.staging.copyDirectory(home.tree, p('d'), refuse);
    await expect(copying).rejects.toMatchObject({ code: 'quota_exceeded' });
    expect(items(home)).toEqual([]);
  });
});

describe('sweep', () => {
  it('removes what no living owner has, and asks after it saw the item', async () => {
    using home = await temporaryHome(['d/e/f: 1', 'g: 1']);
    await home.tree.place(p('g'), await staged(home, 'x'), 'update', home.staging.asideName('run1'));
    await staged(home, 'mine');
    const copy = await home.staging.copyDirectory(home.tree, ROOT, async () => undefined);
    for (const name of ['dead~1', 'strange']) writeFileSync(join(stagingPath(home), name), 'x');
    expect(await home.staging.sweep(new Set(['test', 'run1']))).toBe(2);
    expect(items(home)).toHaveLength(3);
    expect(await home.staging.sweep({ has: async (owner) => owner === 'run1' })).toBe(2);
    expect(items(home)).toEqual([expect.stringMatching(/^run1~a/)]);
    await copy.discard();
    await home.staging.forget(String(items(home)[0]));
    expect(items(home)).toEqual([]);
  });
});
