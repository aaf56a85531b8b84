import { crc32, deflateRawSync } from 'node:zlib';
import { ZIP } from '../../src/archive/zip.ts';
import { file, never, packed, sourceOf, unpacked } from './kit.ts';
import { extraField, type RawEnd, type RawEntry, rawZip } from './raw-zip.ts';

const refusal = (words: string) => ({ code: 'invalid_request', message: `the archive cannot be read: ${words}` });

async function expectRefused(entries: readonly RawEntry[], words: string, end: RawEnd = {}): Promise<void> {
  await expect(unpacked(ZIP, rawZip(entries, end))).rejects.toMatchObject(refusal(words));
}

describe('a zip that deceives', () => {
  it('is refused where an entry is larger or smaller than claimed, or not what its checksum says', async () => {
    const content = 'x'.repeat(1000);
    const large = Buffer.alloc(1_500_000, 'x');
    for (const method of [0, 8]) {
      const entries = (given: Partial<RawEntry>): readonly RawEntry[] => [{ name: 'f', content, method, ...given }];
      expect(await unpacked(ZIP, rawZip(entries({})))).toMatchObject([{ name: 'f', content }]);
      await expectRefused(entries({ crc: 1 }), 'an entry has another checksum than its directory claims');
      if (method === 0) continue;
      for (const whole of [content, large]) {
        const longer = 'an entry is larger than its directory claims';
        await expectRefused(entries({ content: whole, size: whole.length - 1 }), longer);
        await expectRefused(entries({ content: whole, size: 0 }), longer);
        const shorter = 'an entry is smaller than its directory claims';
        await expectRefused(entries({ content: whole, size: whole.length + 1 }), shorter);
      }
    }
  });

  it('is stopped at the size it claims, before the rest is inflated', async () => {
    const bomb = rawZip([{ name: 'f', content: Buffer.alloc(64 << 20), method: 8, size: 2 << 20 }]);
    let bytes = 0;
    const reading = async () => {
      for await (const entry of ZIP.unpack(sourceOf(bomb), never))
        for await (const chunk of await entry.open()) bytes += chunk.length;
    };
    await expect(reading()).rejects.toMatchObject({ code: 'invalid_request' });
    expect(bytes).toBeLessThanOrEqual(2 << 20);
  });

  it('is refused where entries share bytes, whichever way they lie', async () => {
    const kernel = deflateRawSync(Buffer.alloc(1 << 20));
    const shared: RawEntry = { name: 'a', raw: kernel, method: 8, size: 1 << 20, crc: crc32(Buffer.alloc(1 << 20)) };
    // Without the check each of them inflates the same kernel: a thousand times the ratio of deflate.
    expect(await unpacked(ZIP, rawZip([shared]))).toMatchObject([{ size: 1 << 20 }]);
    await expectRefused([shared, { ...shared, name: 'b', offset: 0 }], 'its entries overlap');
    const many = Array.from({ length: 50 }, (_, n) => ({ ...shared, name: `b${n}`, offset: 0 }));
    await expectRefused([shared, ...many], 'its entries overlap');

    // Quoting: the first one's content is the second one's header and content.
    const inner = rawZip([{ name: 'b', content: 'inner' }]).subarray(0, 30 + 1 + 5);
    const outer: RawEntry = { name: 'a', content: inner };
    const slack: RawEntry = { name: 'c', content: Buffer.alloc(500) };
    const quoted: RawEntry = { name: 'b', content: 'inner', offset: 31 };
    expect(await unpacked(ZIP, rawZip([outer, slack]))).toHaveLength(2);
    await expectRefused([outer, quoted, slack], 'its entries overlap');
    await expectRefused([outer, slack, quoted], 'its entries overlap');
    await expectRefused([quoted, outer, slack], 'its entries overlap');
  });

  it('may have its entries in any order', async () => {
    const [a, b] = [
      { name: 'a', content: 'one' },
      { name: 'b', content: 'two' },
    ] as const;
    const bytes = rawZip([a, b, { ...a, name: 'gone' }]);
    const directoryAt = 3 * 31 + 3 * 3 + 3;
    expect(bytes.readUInt32LE(directoryAt)).toBe(0x02014b50);
    const first = bytes.subarray(directoryAt, directoryAt + 47);
    const second = bytes.subarray(directoryAt + 47, directoryAt + 94);
    const swapped = Buffer.concat([bytes.subarray(0, directoryAt), second, first, bytes.subarray(directoryAt + 94)]);
    expect((await unpacked(ZIP, swapped)).map(({ name }) => name)).toEqual(['b', 'a', 'gone']);
  });

  it('is refused where an entry reaches into the directory, or points to no entry', async () => {
    const reaching = 'an entry reaches into the directory of entries';
    await expectRefused([{ name: 'f', content: 'abc', size: 9, compressedSize: 9 }], reaching);
    const nothing = 'its directory points to something that is no entry';
    await expectRefused(
      [
        { name: 'f', content: 'abc'.repeat(40) },
        { name: 'g', offset: 5 },
      ],
      nothing,
    );
    await expectRefused([{ name: 'f', offset: 0xfffffff0 }], 'it points to bytes that are not there');
  });

  it('is refused where its directory counts wrong', async () => {
    const entries = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
    await expectRefused(entries, 'its directory holds more entries than it says', { count: 2 });
    await expect(unpacked(ZIP, rawZip(entries, { count: 4 }))).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(unpacked(ZIP, rawZip(entries, { shift: 1 }))).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(unpacked(ZIP, rawZip(entries, { disk: 1 }))).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('is read with a comment of any size, and refused with bytes after its end', async () => {
    const entries = [{ name: 'a', content: 'x' }];
    expect(await unpacked(ZIP, rawZip(entries, { comment: Buffer.alloc(65_535, 'c') }))).toHaveLength(1);
    const garbage = rawZip(entries, { trailing: Buffer.from('garbage') });
    await expect(unpacked(ZIP, garbage)).rejects.toMatchObject({ code: 'invalid_request' });
    // A second directory in the comment of the first is the one that counts, for everybody.
    const inner = rawZip([{ name: 'inner' }]);
    await expect(unpacked(ZIP, rawZip(entries, { comment: inner }))).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('a zip that asks for more than there is', () => {
  it('is refused where it is encrypted, or compressed in another way', async () => {
    const secret = { name: 'a/secret', content: 'x'.repeat(20), flags: 1, size: 8 };
    await expectRefused([secret], 'a/secret is encrypted; pack it again without a password');
    const only = 'only stored and deflated entries are read';
    for (const [method, name] of [
      [9, 'Deflate64'],
      [12, 'bzip2'],
      [14, 'LZMA'],
      [93, 'Zstandard'],
      [77, 'method 77'],
    ] as const)
      await expectRefused([{ name: 'f', method, content: 'x' }], `f is compressed with ${name}; ${only}`);
    await expect(unpacked(ZIP, rawZip([{ name: 'f', flags: 0x41, content: 'x' }]))).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });

  it('is refused where a link has a target no disk takes', async () => {
    const link = { name: 'l', content: 'x'.repeat(4097), unixMode: 0o120777 };
    await expectRefused([link], 'l is a link with too long a target');
  });
});

describe('a zip of another maker', () => {
  it('is read where sizes follow the content', async () => {
    const entries = [0, 8].map((method) => ({ name: `m${method}`, content: 'streamed', method, isStreamed: true }));
    expect((await unpacked(ZIP, rawZip(entries))).map(({ content }) => content)).toEqual(['streamed', 'streamed']);
  });

  it('is read where 32 bits hold neither its counts nor its sizes', async () => {
    const sizes = Buffer.alloc(16);
    sizes.writeBigUInt64LE(5n, 0);
    sizes.writeBigUInt64LE(5n, 8);
    const large = { size: 0xffffffff, compressedSize: 0xffffffff, extra: extraField(1, sizes) };
    const plain = rawZip([
      { name: 'a', content: 'large', ...large },
      { name: 'b', content: 'x' },
    ]);
    const end = plain.length - 22;
    const record = Buffer.alloc(56 + 20);
    record.writeUInt32LE(0x06064b50, 0);
    record.writeBigUInt64LE(44n, 4);
    for (const at of [24, 32]) record.writeBigUInt64LE(2n, at);
    record.writeBigUInt64LE(BigInt(plain.readUInt32LE(end + 16)), 48);
    record.writeUInt32LE(0x07064b50, 56);
    record.writeBigUInt64LE(BigInt(end), 64);
    const bytes = Buffer.concat([plain.subarray(0, end), record, plain.subarray(end)]);
    bytes.fill(0xff, bytes.length - 14, bytes.length - 2);
    expect((await unpacked(ZIP, bytes)).map(({ name, content }) => [name, content])).toEqual([
      ['a', 'large'],
      ['b', 'x'],
    ]);
  });

  it('tells kinds apart, and gives no mode that is not there', async () => {
    const entries: readonly RawEntry[] = [
      { name: 'fifo', unixMode: 0o010644 },
      { name: 'device', unixMode: 0o060644 },
      { name: 'link', unixMode: 0o120777, content: 'target' },
      { name: 'setuid', unixMode: 0o104755 },
      { name: 'dos', madeBy: 0, unixMode: 0o120777 },
      { name: 'dos-dir/', madeBy: 0 },
      { name: 'untyped', unixMode: 0 },
    ];
    const seen = await unpacked(ZIP, rawZip(entries));
    expect(seen.map(({ kind, mode, target }) => [kind, mode, target])).toEqual([
      ...[
        ['other', '644', null],
        ['other', '644', null],
        ['symlink', '777', 'target'],
        ['file', '755', null],
      ],
      ...[
        ['file', null, null],
        ['directory', null, null],
        ['file', null, null],
      ],
    ]);
  });

  it('has names in UTF-8, in code page 437, or in bytes', async () => {
    const plain = Buffer.of(0x81, 0x62);
    const unicode = Buffer.concat([Buffer.of(1, 0, 0, 0, 0), Buffer.from('übrig')]);
    unicode.writeUInt32LE(crc32(plain), 1);
    const stale = Buffer.from(unicode).fill(0, 1, 5);
    const entries: readonly RawEntry[] = [
      { name: plain, madeBy: 0 },
      { name: plain, madeBy: 3 },
      { name: plain, madeBy: 0, extra: extraField(0x7075, unicode) },
      { name: plain, madeBy: 0, extra: extraField(0x7075, stale) },
      { name: 'é', madeBy: 0 },
      { name: plain, flags: 0x800, madeBy: 0 },
    ];
    const names = (await unpacked(ZIP, rawZip(entries))).map(({ name }) => name);
    expect(names).toEqual(['üb', plain.toString('latin1'), 'übrig', 'üb', 'é', plain.toString('latin1')]);
  });

  it('has times with a zone, or those of DOS', async () => {
    const seconds = Buffer.of(1, 0, 0, 0, 0);
    seconds.writeInt32LE(1_000_000_001, 1);
    const entries = [{ name: 'ut', extra: extraField(0x5455, seconds) }, { name: 'dos' }, { name: 'odd', dosDate: 0 }];
    const seen = await unpacked(ZIP, rawZip(entries));
    expect(seen[0]?.modifiedAt).toBe('2001-09-09T01:46:41.000Z');
    expect(seen[1]?.modifiedAt).toBe(new Date(2024, 2, 5).toISOString());
    expect(seen).toHaveLength(3);
  });
});

describe('a zip made here', () => {
  it('stores what compressing would make larger, and says true sizes in front', async () => {
    const noise = Buffer.from(Array.from({ length: 99 }, (_, n) => (n * 7919 + 13) & 0xff));
    const bytes = await packed(ZIP, [file('noise', noise), file('text', 'x'.repeat(500))]);
    expect([bytes.readUInt16LE(8), bytes.readUInt32LE(18), bytes.readUInt32LE(22)]).toEqual([0, 99, 99]);
    const text = bytes.indexOf('PK\x03\x04', 4);
    expect([bytes.readUInt16LE(text + 8), bytes.readUInt32LE(text + 22)]).toEqual([8, 500]);
    expect(bytes.readUInt32LE(text + 18)).toBeLessThan(100);
  });
});
