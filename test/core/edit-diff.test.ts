import { applyPatch, parsePatch } from 'diff';
import fc from 'fast-check';
import { type Compared, unifiedDiff } from '../../src/core/edits/edit-diff.ts';
import type { TextEdit } from '../../src/core/edits/edit-types.ts';
import { applyEdits } from '../../src/core/edits/text-edits.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { at } from '../support/core.ts';

async function compared(text: string, edits: readonly TextEdit[]): Promise<Compared> {
  const before = Buffer.from(text);
  const entry = { path: at('f'), size: before.length } as Entry;
  const { signal } = new AbortController();
  const { content, splices } = await applyEdits({ entry, content: before, maxBytes: 1e9, signal }, edits);
  return { before, after: content, splices };
}

const all = (oldString: string, newString: string): TextEdit => ({ oldString, newString, replaceAll: true });

describe('unifiedDiff', () => {
  it('leads from the old content to the new one, by the library that reads diffs', async () => {
    const piece = fc.constantFrom('a', 'b', 'c', '\n', '\n', '\r\n', 'é', 'same\nsame\nsame\nsame\n');
    const texts = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''));
    const small = fc
      .array(fc.constantFrom('a', 'b', '\n', 'é'), { minLength: 1, maxLength: 3 })
      .map((pieces) => pieces.join(''));
    const edit = fc.tuple(small, texts).map(([one, other]) => all(one, other));
    let applied = 0;
    const property = fc.asyncProperty(texts, fc.array(edit, { minLength: 1, maxLength: 3 }), async (text, edits) => {
      const both = await compared(text, edits).catch(() => null);
      if (both === null) return;
      applied += 1;
      const { text: diff, isCut } = await unifiedDiff('f', both);
      expect(isCut).toBe(false);
      expect(parsePatch(diff)).toHaveLength(1);
      expect(applyPatch(text, diff, { autoConvertLineEndings: false })).toBe(both.after.toString());
    });
    await fc.assert(property, { numRuns: 1000 });
    expect(applied).toBeGreaterThan(100);
  });

  it('shows three lines of context, and what an edit has in common with what it replaces only once', async () => {
    const text = Array.from({ length: 20 }, (_, n) => `line ${n + 1}\n`).join('');
    const both = await compared(text, [all('line 10\nline 11\nline 12\n', 'line 10\nline eleven\nline 12\n')]);
    expect((await unifiedDiff('dir/f.txt', both)).text).toBe(
      [
        ...['--- a/dir/f.txt', '+++ b/dir/f.txt', '@@ -8,7 +8,7 @@', ' line 8', ' line 9', ' line 10'],
        ...['-line 11', '+line eleven', ' line 12', ' line 13', ' line 14', ''],
      ].join('\n'),
    );
  });

  it('keeps hunks apart that are apart, with the lines of each side counted on', async () => {
    const text = Array.from({ length: 40 }, (_, n) => `${n + 1}.\n`).join('');
    const both = await compared(text, [all('\n5.\n', '\nfive\nand more\n'), all('\n30.\n', '\n')]);
    const { text: diff } = await unifiedDiff('f', both);
    expect(diff.match(/^@@.*$/gm)).toEqual(['@@ -2,7 +2,8 @@', '@@ -27,7 +28,6 @@']);
    expect(applyPatch(text, diff)).toBe(both.after.toString());
  });

  it('shows a stretch of which nothing is left as gone and come, without comparing each line with each', async () => {
    const text = Array.from({ length: 3000 }, (_, n) => `${n}\n`).join('');
    const both = await compared(text, [all('\n', '!\n')]);
    const { text: diff, isCut } = await unifiedDiff('f', both);
    expect(isCut).toBe(false);
    expect(diff).toContain('@@ -1,3000 +1,3000 @@');
    expect(applyPatch(text, diff)).toBe(both.after.toString());
    const bare = await compared(text.trimEnd(), [all('\n', '!\n')]);
    expect(applyPatch(text.trimEnd(), (await unifiedDiff('f', bare)).text)).toBe(bare.after.toString());
  });

  it('is cut between hunks where it would be long, and says so', async () => {
    const text = Array.from({ length: 2000 }, (_, n) => `${n} ${'x'.repeat(500)}\n\n\n\n\n\n\n\n\n`).join('');
    const both = await compared(text, [all(' x', ' y')]);
    const { text: diff, isCut } = await unifiedDiff('f', both);
    expect(isCut).toBe(true);
    expect(diff.length).toBeLessThan(1.2 * 1024 * 1024);
    const hunks = parsePatch(diff)[0]?.hunks.length ?? 0;
    expect(hunks).toBeGreaterThan(500);
    expect(hunks).toBeLessThan(2000);
    const line = await compared('y'.repeat(2_000_000), [all('y'.repeat(1_999_999), 'z')]);
    expect(await unifiedDiff('f', line)).toMatchObject({ isCut: true });
  });

  it('goes through a long line once, however many splices lie in it', async () => {
    const line = `${'a'.repeat(150)}b`;
    const text = `${line.repeat(5000)}\n`.repeat(6);
    const both = await compared(text, [all('b', 'c')]);
    const started = process.cpuUsage().user;
    expect((await unifiedDiff('f', both)).isCut).toBe(true);
    expect(both.splices).toHaveLength(30_000);
    // looking for the ends of the line at each splice took seconds
    expect((process.cpuUsage().user - started) / 1e6).toBeLessThan(3);
  });
});
