import { Readable } from 'node:stream';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import type { ArchiveSource } from '../../src/archive/format.ts';
import { TAR, TAR_GZ, TAR_ZST } from '../../src/archive/tar.ts';
import { directory, file, never, packed, readable, unpacked } from './kit.ts';
import { END, pax, type RawHeader, rawEntry, rawTar } from './raw-tar.ts';

const refusal = (words: string) => ({
  code: 'invalid_request',
  message: expect.stringContaining(`the archive cannot be read: ${words}`),
});

async function expectRefused(words: string, ...entries: readonly RawHeader[]): Promise<void> {
  await expect(unpacked(TAR, rawTar(...entries))).rejects.toMatchObject(refusal(words));
}

const names = async (...entries: readonly RawHeader[]) =>
  (await unpacked(TAR, rawTar(...entries))).map(({ name }) => name);

describe('a tar that deceives', () => {
  it('is refused where a checksum or a number is wrong', async () => {
    const block = rawEntry({});
    block[0] = 0x67;
    await expect(unpacked(TAR, Buffer.concat([block, END]))).rejects.toMatchObject(
      refusal('a header has a wrong checksum; the archive is damaged or not a tar'),
    );
    await expectRefused('a header has no number where its size belongs', { size: Buffer.from('12x45678901\0') });
    await expectRefused('a header has no number where its size belongs', {
      size: Buffer.alloc(12, 0x80).fill(0x7f, 1),
    });
    await expectRefused('a header claims a size below zero', { size: Buffer.alloc(12, 0xff) });
    await expectRefused('a header has no number where its mtime belongs', { mtime: Buffer.from('yesterday\0') });
  });

  it('is refused where a size reaches beyond its end', async () => {
    await expectRefused('it is cut off', { size: 1 << 20, content: 'x' });
    await expectRefused('it is cut off', { size: 0o77777777777, content: 'x' });
    await expectRefused('it is cut off', pax({ size: '9007199254740991' }), { content: 'x' });
  });

  it('is refused where its end mark is missing', async () => {
    await expect(unpacked(TAR, rawEntry({ content: 'x' }))).rejects.toMatchObject(
      refusal('it ends before its end mark'),
    );
  });

  it('is read up to its end mark, whatever follows', async () => {
    const bytes = Buffer.concat([rawTar({ name: 'a' }), Buffer.from('garbage'), rawTar({ name: 'b' })]);
    expect((await unpacked(TAR, bytes)).map(({ name }) => name)).toEqual(['a']);
  });

  it('is refused where extended headers are malformed', async () => {
    for (const content of [
      'x',
      '12 path=abc',
      '99 path=x\n',
      '0 path=x\n',
      '10 pathabc\n',
      '8 path=x\n',
      '-9 path=x\n',
      '1e1 path=x\n',
    ])
      await expectRefused('an extended header is malformed', { ...pax({}), content }, {});
    await expectRefused('an extended header claims a size that is no number', pax({ size: '-1' }), {});
    await expectRefused('an extended header claims a size that is no number', pax({ size: '0x10' }), {});
    await expectRefused('it is cut off within an extended header', { type: 'x', size: 2000, content: '' });
  });

  it('cannot make its reader hold a long extended header, or read extended headers for ever', async () => {
    for (const type of ['x', 'g', 'L', 'K']) {
      const claim = { type, size: 1 << 30, content: '' };
      await expectRefused('an extended header claims 1073741824 bytes; at most 1048576 are read', claim);
    }
    const endless = Array.from({ length: 17 }, () => pax({ comment: 'x' }));
    await expectRefused('more than 16 extended headers stand in front of one entry', ...endless, {});
    expect(await names(...endless.slice(0, 16), {})).toEqual(['f']);
  });

  it('names what is stored as a sparse file', async () => {
    const words = 'holes is stored as a sparse file, which is not read';
    await expectRefused(words, { name: 'holes', type: 'S' });
    await expectRefused(words, pax({ 'GNU.sparse.major': '1', 'GNU.sparse.name': 'holes' }), {
      name: 'GNUSparseFile.0/x',
    });
    await expectRefused(words, pax({ path: 'holes', 'GNU.sparse.map': '0,1' }), {});
  });
});

describe('a tar of another maker', () => {
  it('tells every kind, and gives links no content', async () => {
    const types = ['0', '\0', '7', '1', '2', '3', '4', '5', '6', 'V', 'Z'];
    const seen = await unpacked(TAR, rawTar(...types.map((type) => ({ type, linkname: 't', size: 0 }))));
    expect(seen.map(({ kind, target }) => (target === null ? kind : `${kind} ${target}`))).toEqual([
      ...['file', 'file', 'file', 'hardlink t', 'symlink t', 'other', 'other', 'directory', 'other', 'other', 'other'],
    ]);
    expect(await names({ name: 'l', type: '1', size: 4096 }, { name: 'next' })).toEqual(['l', 'next']);
  });

  it('may be older than POSIX, with directories that end in a slash and sums of signed bytes', async () => {
    const old: readonly RawHeader[] = [
      { name: 'd/', type: '\0', magic: '', prefix: 'not a prefix' },
      { name: Buffer.of(0xe9), type: '\0', magic: '', isSigned: true, content: 'x' },
    ];
    expect(await unpacked(TAR, rawTar(...old))).toMatchObject([
      { name: 'd/', kind: 'directory' },
      { name: '\xe9', kind: 'file', content: 'x' },
    ]);
  });

  it("has long names in a prefix, in GNU's entries or in pax records", async () => {
    const long = `${'d'.repeat(150)}/${'n'.repeat(90)}`;
    expect(await names({ name: 'n'.repeat(90), prefix: 'd'.repeat(150) })).toEqual([long]);
    expect(await names({ type: 'L', content: `${long}\0` }, { name: long.slice(0, 100) }, {})).toEqual([long, 'f']);
    expect(await names(pax({ path: long }), { prefix: 'ignored' }, {})).toEqual([long, 'f']);
    expect(await names({ name: 'x', magic: 'ustar  \0', prefix: '12345670123' })).toEqual(['x']);
    const link = { type: '2', linkname: 'short' };
    const links = rawTar({ type: 'K', content: `${long}\0` }, link, pax({ linkpath: long }), link, link);
    expect((await unpacked(TAR, links)).map(({ target }) => target)).toEqual([long, long, 'short']);
  });

  it('cannot name all its entries in a global header', async () => {
    expect(await names({ ...pax({ path: 'same', comment: 'c' }), type: 'g' }, { name: 'a' }, { name: 'b' })).toEqual([
      'a',
      'b',
    ]);
  });

  it("has numbers in octal of any writing, or in two's complement", async () => {
    const size = (field: string | Buffer) => unpacked(TAR, rawTar({ size: Buffer.from(field), content: 'abc' }));
    for (const field of [
      '00000000003\0',
      '          3 ',
      '3\0garbage',
      ' 3',
      Buffer.concat([Buffer.of(0x80), Buffer.alloc(10), Buffer.of(3)]),
    ])
      expect((await size(field))[0]?.content).toBe('abc');
    const time = async (mtime: number | Buffer) => (await unpacked(TAR, rawTar({ mtime })))[0]?.modifiedAt;
    expect(await time(1_000_000_001)).toBe('2001-09-09T01:46:41.000Z');
    expect(await time(Buffer.alloc(12, 0xff))).toBe('1969-12-31T23:59:59.000Z');
    expect(await time(Buffer.from('77777777777\0'))).toBe('2242-03-16T12:56:31.000Z');
    const fraction = rawTar(pax({ mtime: '1000000001.25' }), {}, pax({ mtime: 'soon' }), {});
    expect((await unpacked(TAR, fraction)).map(({ modifiedAt }) => modifiedAt)).toEqual([
      '2001-09-09T01:46:41.250Z',
      null,
    ]);
  });

  it('may be of several gzip members', async () => {
    const tar = rawTar({ name: 'a', content: 'x'.repeat(2000) }, { name: 'b' });
    const bytes = Buffer.concat([tar.subarray(0, 700), tar.subarray(700)].map((part) => gzipSync(part)));
    expect((await unpacked(TAR_GZ, bytes)).map(({ name }) => name)).toEqual(['a', 'b']);
    // Tapes are filled up with zeros; anything else after the last member is refused.
    expect(await unpacked(TAR_GZ, Buffer.concat([bytes, Buffer.alloc(3000)]))).toHaveLength(2);
    const garbage = unpacked(TAR_GZ, Buffer.concat([bytes, Buffer.from('garbage')]));
    await expect(garbage).rejects.toMatchObject(refusal('its compressed data are damaged or cut off'));
  });

  it('is refused where it is of several zstd frames, which Node does not read', async () => {
    const tar = rawTar({ name: 'a', content: 'x'.repeat(2000) });
    const bytes = Buffer.concat([tar.subarray(0, 700), tar.subarray(700)].map((part) => zstdCompressSync(part)));
    await expect(unpacked(TAR_ZST, bytes)).rejects.toMatchObject(refusal('it is cut off'));
  });

  it('is refused where its compression would need more than 32 MiB to undo', async () => {
    const wide = (log: number) =>
      zstdCompressSync(rawTar({}), {
        params: { [constants.ZSTD_c_windowLog]: log, [constants.ZSTD_c_contentSizeFlag]: 0 },
      });
    expect(await unpacked(TAR_ZST, wide(20))).toHaveLength(1);
    const header = wide(20);
    // The byte of the window follows the magic and the descriptor: its upper five bits are the exponent over 10.
    header[5] = (27 - 10) << 3;
    await expect(unpacked(TAR_ZST, header)).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('a tar made here', () => {
  it('has plain headers where they do, and pax headers where they do not', async () => {
    const plain = await packed(TAR, [file('f'), directory('n'.repeat(99))]);
    expect(plain.length).toBe(2 * 512 + 1024);
    const long = await packed(TAR, [file('n'.repeat(101))]);
    expect(long.toString('latin1', 156, 157)).toBe('x');
    expect(long.toString('latin1', 512, 512 + 112)).toBe(`111 path=${'n'.repeat(101)}\n\0`);
    const early = await packed(TAR, [file('f', '', { modifiedAt: new Date('1960-01-01T00:00:00Z') })]);
    expect((await unpacked(TAR, early))[0]?.modifiedAt).toBe('1960-01-01T00:00:00.000Z');
  });

  it('says sizes that octal cannot, and reads them', async () => {
    const huge = 2 ** 40;
    const endless = new Readable({ read: () => undefined });
    endless.push(Buffer.alloc(300_000));
    const given = { size: huge, open: () => Promise.resolve(endless) };
    const archive = TAR.pack?.(one(file('huge', '', given)), { level: null, signal: never });
    const head = await new Promise<Buffer>((resolve) => archive?.once('data', resolve));
    archive?.destroy();
    expect(readable(head)).toContain('22 size=1099511627776\n');
    const source: ArchiveSource = { size: huge, stream: () => Readable.from([head], { objectMode: false }) };
    for await (const entry of TAR.unpack(source, never)) {
      expect(entry.size).toBe(huge);
      break;
    }
  });
});

async function* one<T>(value: T): AsyncGenerator<T> {
  yield value;
}
