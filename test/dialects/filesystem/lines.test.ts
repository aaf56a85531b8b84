import fc from 'fast-check';
import { lastLines, readLines } from '../../../src/http/dialects/filesystem/lines.ts';
import type { Entry } from '../../../src/tree/entry.ts';

/** The text cut into chunks of this many bytes. */
async function* chunksOf(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What the same question would be answered with the whole file at hand. */
function plainly(text: string, offset: number, limit: number): { content: string; total: number } {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return { content: lines.slice(offset - 1, offset - 1 + limit).join(''), total: lines.length };
}

/** A file of these bytes that remembers how much of it was read. */
function fileOf(bytes: Buffer) {
  const seen = { bytes: 0 };
  const slice = async (start: number, length: number) => {
    seen.bytes += length;
    expect(start + length).toBeLessThanOrEqual(bytes.length);
    return bytes.subarray(start, start + length);
  };
  return { seen, slice, entry: { size: bytes.length } as Entry };
}

describe('lastLines', () => {
  it('filesystem.read finds the same last lines as with the whole file at hand, across slices', async () => {
    const line = fc.oneof(fc.constant('\n'), fc.constant('é'), fc.constant('a\r\n'), fc.constant('x'.repeat(40_000)));
    const text = fc.array(line, { maxLength: 12 }).map((parts) => parts.join(''));
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 9 }), async (whole, count) => {
        const lines = whole.match(/[^\n]*\n|[^\n]+$/g) ?? [];
        const last = await lastLines(fileOf(Buffer.from(whole)), count, 1e6);
        expect(last.toString()).toBe(lines.slice(-count).join(''));
      }),
      { numRuns: 300 },
    );
  });

  it('filesystem.read of the last lines reads the end of a large file alone', async () => {
    const file = fileOf(Buffer.from('0123456789\n'.repeat(1_000_000)));
    expect((await lastLines(file, 3, 1e6)).toString()).toBe('0123456789\n'.repeat(3));
    expect(file.seen.bytes).toBeLessThan(100_000);
  });

  it('filesystem.read of the last lines stops at the bound, also in a file without any newline', async () => {
    const file = fileOf(Buffer.alloc(10_000_000, 'x'));
    await expect(lastLines(file, 1, 100_000)).rejects.toMatchObject({ code: 'too_large', detail: { limit: 100_000 } });
    expect(file.seen.bytes).toBeLessThan(300_000);
  });
});

describe('readLines', () => {
  it('filesystem.read finds the same lines however the file is cut into chunks', async () => {
    const text = fc
      .array(fc.constantFrom('a', 'é', '文', '\n', '\r\n', 'word '), { maxLength: 60 })
      .map((p) => p.join(''));
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 9 }),
        async (whole, offset, limit, size) => {
          const lines = await readLines(chunksOf(Buffer.from(whole), size), { offset, limit }, 1000);
          const expected = plainly(whole, offset, limit);
          expect(lines.content.toString()).toBe(expected.content);
          expect(lines.total).toBe(expected.total);
          expect(lines.isText).toBe(true);
          expect(lines.end).toBe(Math.max(offset - 1, Math.min(offset + limit - 1, expected.total)));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('filesystem.read knows a file that is not UTF-8 as a whole, wherever the bad bytes are', async () => {
    const bad = Buffer.concat([Buffer.from('first\nsecond\n'), Buffer.of(0xe2, 0x82), Buffer.from('\nlast')]);
    for (const size of [1, 3, 100]) {
      const lines = await readLines(chunksOf(bad, size), { offset: 1, limit: 1 }, 100);
      expect(lines).toMatchObject({ isText: false, total: 4, end: 1 });
      expect(lines.content.toString()).toBe('first\n');
    }
    const cut = await readLines(chunksOf(Buffer.of(0x61, 0xe2), 1), { offset: 1, limit: 1 }, 100);
    expect(cut.isText).toBe(false);
  });

  it('filesystem.read refuses lines beyond the bound, and counts those it does not keep against nothing', async () => {
    const text = Buffer.from(`${'x'.repeat(1000)}\nshort\n`);
    await expect(readLines(chunksOf(text, 64), { offset: 1, limit: 1 }, 100)).rejects.toMatchObject({
      code: 'too_large',
    });
    const lines = await readLines(chunksOf(text, 64), { offset: 2, limit: 10 }, 100);
    expect(lines.content.toString()).toBe('short\n');
  });
});
