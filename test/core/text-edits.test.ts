import fc from 'fast-check';
import type { TextEdit } from '../../src/core/edits/edit-types.ts';
import { findOccurrences } from '../../src/core/edits/occurrences.ts';
import { composed, type Splice, splicesAt } from '../../src/core/edits/splices.ts';
import { applyEdits } from '../../src/core/edits/text-edits.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { at, failure } from '../support/core.ts';

const { signal } = new AbortController();
const entryOf = (content: Buffer) => ({ path: at('f.txt'), size: content.length }) as Entry;

async function edited(text: string, edits: readonly Partial<TextEdit>[], maxBytes = 1e6): Promise<string> {
  const content = Buffer.from(text);
  const whole = edits.map((edit) => ({ oldString: '', newString: '', replaceAll: false, ...edit }));
  const result = await applyEdits({ entry: entryOf(content), content, maxBytes, signal }, whole);
  expect(replayed(content, result.content, result.splices)).toEqual(result.content);
  return result.content.toString();
}

/** The new content made of the old and the splices alone. */
function replayed(before: Buffer, after: Buffer, splices: readonly Splice[]): Buffer {
  let [kept, made] = [0, 0];
  const parts: Buffer[] = [];
  for (const { oldStart, oldEnd, newStart, newEnd } of splices) {
    expect(newStart - made).toBe(oldStart - kept);
    parts.push(before.subarray(kept, oldStart), after.subarray(newStart, newEnd));
    [kept, made] = [oldEnd, newEnd];
  }
  return Buffer.concat([...parts, before.subarray(kept)]);
}

describe('applyEdits', () => {
  it('does what String.replace does, one edit after the other', async () => {
    const words = fc
      .array(fc.constantFrom('a', 'b', 'ab', 'é', '\n', ' '), { maxLength: 25 })
      .map((all) => all.join(''));
    const string = fc
      .array(fc.constantFrom('a', 'b', 'é', '\n'), { minLength: 1, maxLength: 3 })
      .map((all) => all.join(''));
    const edit = fc.record({ oldString: string, newString: words, replaceAll: fc.boolean() });
    let applied = 0;
    const property = fc.asyncProperty(words, fc.array(edit, { minLength: 1, maxLength: 3 }), async (text, edits) => {
      let expected: string | null = text;
      for (const { oldString, newString, replaceAll } of edits) {
        const isUnique = expected?.indexOf(oldString) === expected?.lastIndexOf(oldString);
        if (!expected?.includes(oldString) || (!isUnique && !replaceAll)) expected = null;
        expected = expected?.replaceAll(oldString, () => newString) ?? null;
      }
      const result = await edited(text, edits).catch((error: unknown) => error);
      if (expected === null) expect(result).toMatchObject({ code: 'conflict' });
      else expect(result).toBe(expected);
      applied += expected === null ? 0 : 1;
    });
    await fc.assert(property, { numRuns: 1000 });
    expect(applied).toBeGreaterThan(30);
  });

  it('says which edit it is and how often its text occurs', async () => {
    const absent = await failure(
      edited('a b c', [
        { oldString: 'a', newString: 'x' },
        { oldString: 'a', newString: 'y' },
      ]),
    );
    expect(absent).toMatchObject({ code: 'conflict', detail: { path: 'f.txt', occurrences: 0, edit: 1 } });
    expect(absent).toMatchObject({
      message: expect.stringMatching(/edit 2 of 2 does not occur in f\.txt after the edits/),
    });
    const twice = await failure(edited('a b a', [{ oldString: 'a', newString: 'x' }]));
    expect(twice).toMatchObject({
      detail: { occurrences: 2, edit: 0 },
      message: expect.stringMatching(/^old_string occurs 2/),
    });
    // each of the two could be meant
    expect(await failure(edited('aaa', [{ oldString: 'aa', newString: 'x' }]))).toMatchObject({
      detail: { occurrences: 2 },
    });
    expect(await edited('aaa', [{ oldString: 'aa', newString: 'x', replaceAll: true }])).toBe('xa');
  });

  it('takes a newline for CRLF where the file has CRLF, and as it is where that is not found', async () => {
    const file = 'one\r\ntwo\r\nthree\nfour\r\n';
    expect(await edited(file, [{ oldString: 'one\ntwo', newString: '1\n2' }])).toBe('1\r\n2\r\nthree\nfour\r\n');
    expect(await edited(file, [{ oldString: 'two', newString: 'two\n2' }])).toBe('one\r\ntwo\r\n2\r\nthree\nfour\r\n');
    expect(await edited(file, [{ oldString: '\ntwo', newString: '\n2' }])).toBe('one\r\n2\r\nthree\nfour\r\n');
    expect(await edited(file, [{ oldString: 'three\nfour', newString: '3\n4' }])).toBe('one\r\ntwo\r\n3\n4\r\n');
    expect(await edited(file, [{ oldString: 'one\r\n', newString: 'one\n' }])).toBe('one\ntwo\r\nthree\nfour\r\n');
    expect(await edited('a\nb\r\n', [{ oldString: 'a', newString: 'a\nx' }])).toBe('a\nx\nb\r\n');
    expect(await failure(edited('a\nb', [{ oldString: 'a\r\nb', newString: 'x' }]))).toMatchObject({
      code: 'conflict',
    });
  });

  it('keeps a byte order mark, whether the edit has it or not', async () => {
    const file = '\ufeffone\ntwo';
    expect(await edited(file, [{ oldString: 'one', newString: '1' }])).toBe('\ufeff1\ntwo');
    expect(await edited(file, [{ oldString: '\ufeffone', newString: '1' }])).toBe('\ufeff1\ntwo');
    expect(await edited(file, [{ oldString: '\ufeffone', newString: '\ufeff1' }])).toBe('\ufeff1\ntwo');
    expect(await failure(edited(file, [{ oldString: '\ufeff', newString: '' }]))).toMatchObject({ code: 'conflict' });
    expect(await edited('a\ufeffb', [{ oldString: 'a\ufeff', newString: 'x' }])).toBe('xb');
  });

  it('is bounded in bytes and replacements before it makes either', async () => {
    const wide = { oldString: 'a', newString: 'x'.repeat(1000), replaceAll: true };
    expect(await failure(edited('a'.repeat(10), [wide], 9999))).toMatchObject({
      code: 'too_large',
      detail: { limit: 9999, requested: 10_000 },
    });
    expect((await edited('a'.repeat(10), [wide], 10_000)).length).toBe(10_000);
    const many = { oldString: 'a', newString: 'b', replaceAll: true };
    expect(await failure(edited('a'.repeat(100_001), [many]))).toMatchObject({
      code: 'too_large',
      detail: { limit: 100_000, requested: 100_001 },
    });
    const again = { oldString: 'b', newString: 'c', replaceAll: true };
    expect(await failure(edited('a'.repeat(60_000), [many, again]))).toMatchObject({
      code: 'too_large',
      detail: { limit: 100_000, requested: 120_000 },
    });
  });

  it('lets others have a turn between edits of a small file', async () => {
    let turns = 0;
    const count = () => {
      turns += 1;
      immediate = setImmediate(count);
    };
    let immediate = setImmediate(count);
    const swaps = Array.from({ length: 20 }, (_, n) => ({
      oldString: 'ab'[n % 2] ?? '',
      newString: 'ab'[(n + 1) % 2] ?? '',
    }));
    await edited('a', swaps);
    clearImmediate(immediate);
    expect(turns).toBeGreaterThan(15);
  });
});

describe('splices', () => {
  it('compose to what leads from the first content to the last', () => {
    const positions = fc
      .uniqueArray(fc.nat(12), { maxLength: 4 })
      .map((all) => all.toSorted((a, b) => a - b).map((n) => n * 4));
    const step = fc.record({ positions, gone: fc.integer({ min: 0, max: 4 }), come: fc.nat(6) });
    const property = fc.property(fc.array(step, { maxLength: 5 }), (steps) => {
      const before = Buffer.from(Array.from({ length: 60 }, (_, n) => n));
      let [after, splices, mark]: [Buffer, readonly Splice[], number] = [before, [], 100];
      for (const { positions: all, gone, come } of steps) {
        const fitting = all.filter((position) => position + gone <= after.length);
        const next = splicesAt(fitting, gone, come);
        const middle = after;
        const parts = next.map(({ oldEnd }, n) =>
          Buffer.concat([Buffer.alloc(come, mark++), middle.subarray(oldEnd, next[n + 1]?.oldStart ?? middle.length)]),
        );
        after = Buffer.concat([middle.subarray(0, next[0]?.oldStart ?? middle.length), ...parts]);
        splices = composed(splices, next);
      }
      expect(replayed(before, after, splices)).toEqual(after);
      for (const [n, splice] of splices.entries()) {
        expect(splice.oldStart).toBeGreaterThan(splices[n - 1]?.oldEnd ?? -1);
      }
    });
    fc.assert(property, { numRuns: 1000 });
  });
});

describe('findOccurrences', () => {
  it('leaves the event loop to others between its steps', async () => {
    const text = Buffer.alloc(4 * 1024 * 1024, 'ab');
    const wanted = Buffer.from(`a${'ab'.repeat(125)}`);
    let turns = 0;
    const ticking = setInterval(() => {
      turns += 1;
    }, 1);
    const found = await findOccurrences(text, wanted, { from: 0, overlapping: true, keep: 10, signal });
    clearInterval(ticking);
    expect(found).toEqual({ count: 0, positions: [] });
    expect(turns).toBeGreaterThanOrEqual(3);
  });

  it('stops when the client goes away', async () => {
    const gone = AbortSignal.abort();
    const search = { from: 0, overlapping: false, keep: 1, signal: gone };
    await expect(findOccurrences(Buffer.from('text'), Buffer.from('t'), search)).rejects.toThrow('aborted');
  });
});
