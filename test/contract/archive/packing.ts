import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ArchiveFormat } from '../../../src/archive/format.ts';
import { FsError } from '../../../src/errors.ts';
import { file, listed, never, pack, packed, sourceOf, unpacked } from '../../archive/kit.ts';
import { until } from '../../support/wait.ts';

/** What happens when members fail, and how far packing runs ahead of its reader. */
export function describePacking(format: ArchiveFormat): void {
  const many = (size: number) => Buffer.alloc(size, 'x');
  it.each([10, 600_000])('refuses a file of %i bytes that yields fewer or more than it promised', async (size) => {
    for (const real of [size - 1, size + 1]) {
      const members = listed([file('a'), file('shrunk', many(real), { size })]);
      await expect(pack(format, members).toArray()).rejects.toMatchObject({
        code: 'conflict',
        detail: { path: 'shrunk' },
      });
      expect(members.isEnded).toBe(true);
    }
  });

  it.each([10, 600_000])(
    'ends with the error of a file of %i bytes that cannot be opened, or fails half-way',
    async (size) => {
      const error = new FsError('not_found', 'f does not exist');
      const failing = Readable.from(
        (async function* () {
          yield many(5);
          throw error;
        })(),
      );
      for (const open of [() => Promise.reject(error), () => Promise.resolve(failing)]) {
        const members = listed([file('before', many(400_000)), file('f', '', { size, open }), file('after')]);
        await expect(pack(format, members).toArray()).rejects.toBe(error);
        expect(members.isEnded).toBe(true);
      }
      expect(failing.destroyed).toBe(true);
    },
  );

  it('ends with the error of a list of members that fails', async () => {
    const error = new FsError('conflict', 'the directory is gone');
    const members = (async function* () {
      yield file('a', many(1000));
      throw error;
    })();
    await expect(pack(format, members).toArray()).rejects.toBe(error);
  });

  it('asks for one member after another, and only as far as somebody reads', async () => {
    const opened: number[] = [];
    const members = listed(
      Array.from({ length: 200 }, (_, n) => {
        // Noise, so that no format makes it small.
        const noise = () => Readable.from([randomBytes(256 * 1024)]);
        return file(`f${n}`, '', {
          size: 256 * 1024,
          open: () => {
            opened.push(n);
            return Promise.resolve(noise());
          },
        });
      }),
    );
    const archive = pack(format, members);
    expect(opened).toEqual([]);
    archive.read(0);
    await until(() => archive.readableLength > 0, 'the first bytes');
    await settled(() => opened.length);
    expect(opened.length).toBeLessThan(30);
    expect(opened).toEqual(opened.map((_, index) => index));
    archive.destroy();
    await until(() => members.isEnded, 'the list of members being given back');
  });
}

/** Waits until a number has stopped growing. */
async function settled(read: () => number): Promise<void> {
  let before = -1;
  let since = 0;
  await until(() => {
    since = read() === before ? since + 1 : 0;
    before = read();
    return since >= 10;
  }, 'the packer coming to rest');
}

/** What is given back however packing or reading ends. */
export function describeGivingBack(format: ArchiveFormat): void {
  it.each([10, 600_000])('gives a file of %i bytes back when packing is aborted or its reader leaves', async (size) => {
    for (const end of ['abort', 'destroy'] as const) {
      const stuck = new Readable({ read: () => undefined });
      stuck.push('x');
      const members = listed([file('a', 'x'), file('stuck', '', { size, open: () => Promise.resolve(stuck) })]);
      const abort = new AbortController();
      const archive = format.pack?.(members, { level: null, signal: abort.signal }) ?? Readable.from([]);
      const closed = new Promise<void>((resolve) => archive.once('close', resolve));
      archive.on('error', () => undefined).resume();
      await until(() => stuck.readableFlowing === true || stuck.listenerCount('readable') > 0, 'the file being read');
      if (end === 'abort') abort.abort();
      else archive.destroy();
      await closed;
      await until(() => stuck.destroyed && members.isEnded, 'everything being given back');
    }
  });

  it('gives the archive back when reading ends early, is aborted, or an entry stays unread', async () => {
    const bytes = await packed(format, [file('a', 'x'.repeat(400_000)), file('b', 'y'.repeat(400_000)), file('c')]);
    const early = sourceOf(bytes);
    for await (const entry of format.unpack(early, never)) {
      const content = await entry.open();
      await content[Symbol.asyncIterator]().next();
      content.destroy();
      break;
    }
    await until(() => early.open.size === 0, 'the archive being given back');

    const unread = sourceOf(bytes);
    const names: string[] = [];
    for await (const entry of format.unpack(unread, never)) {
      names.push(entry.name.toString());
      if (names.length === 1) (await entry.open()).destroy();
    }
    expect(names).toEqual(['a', 'b', 'c']);
    await until(() => unread.open.size === 0, 'the archive being given back');

    const aborted = sourceOf(bytes);
    const abort = new AbortController();
    await expect(
      (async () => {
        for await (const entry of format.unpack(aborted, abort.signal)) {
          abort.abort();
          await (await entry.open()).toArray();
        }
      })(),
    ).rejects.toMatchObject({ name: 'AbortError' });
    await until(() => aborted.open.size === 0, 'the archive being given back');
  });

  it('passes the error of a failing disk on as it is', async () => {
    const bytes = await packed(format, [file('a', 'x'.repeat(400_000))]);
    const error = Object.assign(new Error('i/o error'), { code: 'EIO' });
    const source = { ...sourceOf(bytes), stream: () => new Readable({ read: (): void => void 0 }).destroy(error) };
    await expect(unpacked(format, source)).rejects.toBe(error);
  });
}
