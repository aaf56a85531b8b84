import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { FsError } from '../../src/errors.ts';
import { partialIdOf, partialOwner } from '../../src/tree/partial.ts';
import { parsePath as p } from '../../src/tree/path.ts';
import { openDataRoot } from '../../src/tree/root.ts';
import { itNeeds, lackOfDisks } from '../support/machine.ts';
import { type TemporaryHome, temporaryDirectory, temporaryHome } from '../support/tree.ts';
import { until } from '../support/wait.ts';

const MIB = 1 << 20;
const ID = 'u-1_x';
const staging = (home: TemporaryHome): string => join(home.hostPath, '../staging');
const items = (home: TemporaryHome): string[] => readdirSync(staging(home));
const body = (text: string | Buffer): Readable => Readable.from([Buffer.from(text)]);
const from = (at: number, maxBytes = 1 << 30) => ({ at, maxBytes });

describe.each(['none', 'fsync'] as const)('a partial file, durability %s', (durability) => {
  it('grows by what is appended, whoever appends, and is placed whole under the name it kept', async () => {
    using home = await temporaryHome([], { durability });
    expect(await home.staging.partial(ID).size()).toBe(0);
    expect(await home.staging.partial(ID).append(body('one '), from(0))).toBe(4);
    const other = await openDataRoot({ path: join(home.path, 'root'), instance: 'other', durability });
    const there = (await other.open(['tenants', 'acme', 'store'])).staging.partial(ID);
    expect(await there.size()).toBe(4);
    const large = Buffer.alloc(3 * MIB + 7, 'abcdefg');
    expect(await there.append(Readable.from([large, Buffer.from('end')]), from(4))).toBe(large.length + 7);
    const whole = Buffer.concat([Buffer.from('one '), large, Buffer.from('end')]);
    const staged = await home.staging.partial(ID).staged({ mode: 0o640 });
    const sha256 = createHash('sha256').update(whole).digest('hex');
    expect(staged).toMatchObject({ kind: 'file', size: whole.length, charged: whole.length, sha256 });
    expect(staged.isFlushed).toBe(durability === 'fsync');
    expect(items(home)).toEqual([`upload-${ID}~part`]);
    const { entry } = await home.tree.place(p('f'), staged, 'create');
    expect(entry).toMatchObject({ size: whole.length, mode: 0o640 });
    expect(readFileSync(home.at('f')).equals(whole)).toBe(true);
    expect(items(home)).toEqual([]);
    expect(await there.size()).toBe(0);
    await expect(there.staged()).rejects.toMatchObject({ code: 'not_found' });
  });

  it('refuses bytes for any place but its end, and keeps what it has', async () => {
    using home = await temporaryHome([], { durability });
    const partial = home.staging.partial(ID);
    for (const at of [1, 5]) {
      await expect(partial.append(body('x'), from(at))).rejects.toMatchObject({ code: 'conflict' });
    }
    await partial.append(body('abc'), from(0));
    for (const at of [0, 2, 4]) {
      await expect(partial.append(body('x'), from(at))).rejects.toMatchObject({ code: 'conflict' });
    }
    await partial.append(body('d'), from(3));
    expect(readFileSync(join(staging(home), `upload-${ID}~part`), 'utf8')).toBe('abcd');
  });

  it.each([false, true])('is written by one who lost it unless that one asks first: %s', async (asks) => {
    using home = await temporaryHome([], { durability });
    const partial = home.staging.partial(ID);
    await partial.append(body('one '), from(0));
    let isLost = false;
    const beforeChange = (): void => {
      if (asks && isLost) throw new FsError('unavailable', 'lost');
    };
    const late = new PassThrough();
    const appended = partial.append(late, { ...from(4), beforeChange }).catch((error: FsError) => error.code);
    late.write('late');
    await until(() => late.readableLength === 0);
    isLost = true;
    await partial.append(body('two '), from(4));
    await home.tree.place(p('f'), await partial.staged(), 'create');
    late.end();
    expect(await appended).toBe(asks ? 'unavailable' : 8);
    expect(readFileSync(home.at('f'), 'utf8')).toBe(asks ? 'one two ' : 'one late');
  });

  it('keeps what came of a body that breaks off', async () => {
    using home = await temporaryHome([], { durability });
    const partial = home.staging.partial(ID);
    await partial.append(body('head'), from(0));
    const broken = new PassThrough();
    const appending = partial.append(broken, from(4));
    broken.write(Buffer.alloc(MIB + 5, 'x'));
    await until(() => broken.readableLength === 0);
    broken.destroy();
    await expect(appending).rejects.toMatchObject({ code: 'invalid_request' });
    expect(await partial.size()).toBe(4 + MIB + 5);
    await partial.append(body('tail'), from(4 + MIB + 5));
    const kept = readFileSync(join(staging(home), `upload-${ID}~part`), 'utf8');
    expect(kept).toBe(`head${'x'.repeat(MIB + 5)}tail`);
  });
});

describe('a partial file', () => {
  it('takes no more than it may come to, and keeps what fitted', async () => {
    using home = await temporaryHome();
    const partial = home.staging.partial(ID);
    await partial.append(body('abc'), from(0, 6));
    const chunks = Readable.from(['d', 'ef', 'g'].map((text) => Buffer.from(text)));
    await expect(partial.append(chunks, from(3, 6))).rejects.toMatchObject({ code: 'too_large', detail: { limit: 6 } });
    expect(await partial.size()).toBe(6);
  });

  it('asks for the total before it writes, and stops where it is refused', async () => {
    using home = await temporaryHome();
    const asked: number[] = [];
    const onBytes = (total: number): void => {
      asked.push(total);
      if (total > 4) throw new FsError('quota_exceeded', 'full');
    };
    const partial = home.staging.partial(ID);
    await partial.append(body('ab'), from(0));
    const more = Readable.from(['cd', 'ef'].map((text) => Buffer.from(text)));
    await expect(partial.append(more, { ...from(2), onBytes })).rejects.toMatchObject({ code: 'quota_exceeded' });
    expect(asked).toEqual([4, 6]);
    expect(await partial.size()).toBe(4);
  });

  it('tells now and then how much is safe, and what it told of is there', async () => {
    using home = await temporaryHome([], { durability: 'fsync' });
    const file = join(staging(home), `upload-${ID}~part`);
    const told: number[] = [];
    const onFlushed = (total: number): void => {
      expect(statSync(file).size).toBe(total);
      told.push(total);
    };
    const chunks = Readable.from(Array.from({ length: 40 }, () => Buffer.alloc(MIB)));
    await home.staging.partial(ID).append(chunks, { ...from(0), onFlushed });
    expect(told).toEqual([16 * MIB, 32 * MIB]);
  });

  it('forgets what came beyond a place', async () => {
    using home = await temporaryHome([], { durability: 'fsync' });
    const partial = home.staging.partial(ID);
    expect(await partial.cut(3)).toBe(0);
    await partial.append(body('abcdef'), from(0));
    expect(await partial.cut(9)).toBe(6);
    expect(await partial.cut(4)).toBe(4);
    expect(await partial.append(body('X'), from(4))).toBe(5);
    expect((await partial.staged()).size).toBe(5);
    await partial.discard();
    await partial.discard();
    expect(items(home)).toEqual([]);
  });

  it('is nothing before the first append, and empty after one of nothing', async () => {
    using home = await temporaryHome();
    const partial = home.staging.partial(ID);
    await expect(partial.staged()).rejects.toMatchObject({ code: 'not_found' });
    expect(await partial.append(Readable.from([]), from(0))).toBe(0);
    expect(await partial.staged()).toMatchObject({ size: 0, charged: 0 });
  });

  it('belongs to its own owner, never to a process', async () => {
    using home = await temporaryHome();
    await home.staging.partial(ID).append(body('x'), from(0));
    expect([partialOwner(ID), partialIdOf(partialOwner(ID)), partialIdOf('test')]).toEqual([`upload-${ID}`, ID, null]);
    expect(await home.staging.sweep(new Set([`upload-${ID}`]))).toBe(0);
    expect(await home.staging.sweep(new Set(['test', `upload-${ID}x`]))).toBe(1);
    expect(items(home)).toEqual([]);
  });

  const lackOfRoot = process.getuid?.() === 0 ? null : 'only root gives files away';
  itNeeds(lackOfRoot, 'is given to the owner of the workspace when it is whole', async () => {
    using home = await temporaryHome([], { owner: { uid: 1234, gid: 2345 } });
    const partial = home.staging.partial(ID);
    await partial.append(body('x'), from(0));
    await home.tree.place(p('f'), await partial.staged(), 'create');
    expect(statSync(home.at('f'))).toMatchObject({ uid: 1234, gid: 2345 });
  });

  it('has an id that is a safe name, and is never read through a link', async () => {
    using home = await temporaryHome();
    for (const id of ['', 'a/b', '..', 'a~b', 'x'.repeat(129)]) {
      expect(() => home.staging.partial(id)).toThrow(expect.objectContaining({ code: 'internal' }));
    }
    writeFileSync(join(home.outside, 'secret'), 'secret');
    execFileSync('ln', ['-s', join(home.outside, 'secret'), join(staging(home), `upload-${ID}~part`)]);
    const partial = home.staging.partial(ID);
    await expect(partial.append(body('x'), from(0))).rejects.toThrow();
    await expect(partial.staged()).rejects.toThrow();
    expect(readFileSync(join(home.outside, 'secret'), 'utf8')).toBe('secret');
  });

  itNeeds(lackOfDisks(), 'keeps what a full disk took, without a gap, and goes on when there is room', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'disk');
    mkdirSync(path);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path]);
    try {
      const root = await openDataRoot({ path, instance: 'test', durability: 'fsync' });
      const home = await root.open(['tenants', 'acme', 'store']);
      const partial = home.staging.partial(ID);
      const bytes = Buffer.from(Array.from({ length: 2 * MIB }, (_, n) => (n * 7) % 251));
      const chunks = Array.from({ length: 32 }, (_, n) => bytes.subarray(n * 65_536, (n + 1) * 65_536));
      const full = partial.append(Readable.from(chunks), from(0));
      await expect(full).rejects.toMatchObject({ code: 'quota_exceeded' });
      const size = await partial.size();
      expect(size).toBeGreaterThan(MIB / 2);
      expect(size).toBeLessThanOrEqual(MIB);
      const file = join(home.hostPath, '../staging', `upload-${ID}~part`);
      expect(readFileSync(file).equals(bytes.subarray(0, size))).toBe(true);
      execFileSync('mount', ['-o', 'remount,size=4m', path]);
      expect(await partial.append(body(bytes.subarray(size)), from(size))).toBe(bytes.length);
      expect(readFileSync(file).equals(bytes)).toBe(true);
    } finally {
      execFileSync('umount', [path]);
    }
  });
});
