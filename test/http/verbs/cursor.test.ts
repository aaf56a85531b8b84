import { encodeCursor } from '../../../src/http/decode.ts';
import { afterCursor, pathCursor } from '../../../src/http/verbs/cursor.ts';
import { parsePath, pathFromBytes, ROOT } from '../../../src/tree/path.ts';

describe('pathCursor', () => {
  it('comes back as the path it was made of, whatever its bytes', () => {
    const dir = parsePath('dir');
    for (const path of [
      parsePath('dir/a b'),
      parsePath('dir/文/x'),
      pathFromBytes(Buffer.from('dir/\xff', 'latin1')),
    ]) {
      expect(afterCursor(pathCursor(path), dir)).toBe(path);
      expect(afterCursor(pathCursor(path), ROOT)).toBe(path);
    }
    expect(afterCursor(undefined, dir)).toBeNull();
  });

  it('is good for its own directory alone, and never leads out of the tree', () => {
    const dir = parsePath('dir');
    const strange = ['dir', 'other/x', 'dirx', '../x', 'dir/../../x', 'dir//x', '', 'dir/\0'].map((text) =>
      encodeCursor([text]),
    );
    for (const cursor of [...strange, encodeCursor([1]), encodeCursor([]), 'x', '!', '']) {
      expect(() => afterCursor(cursor, dir)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^invalid_/) }),
      );
    }
  });
});
