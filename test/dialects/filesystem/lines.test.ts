import fc from 'fast-check';
import { readLines } from '../../../src/http/dialects/filesystem/lines.ts';

/** The text cut into chunks of this many bytes. */
async function* chunksOf(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What the same question would be answered with the whole file at hand. */
function plainly(text: string, offset: number, limit: number): { content: string; total: number } {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return { content: lines.slice(offset - 1, offset - 1 + limit).join(''), total: lines.length };
}

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
