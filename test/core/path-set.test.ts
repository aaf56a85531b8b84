import { PathSet } from '../../src/core/path-set.ts';
import { parsePath as p } from '../../src/tree/path.ts';

describe('a set of paths', () => {
  it('tells short and long paths apart, also a long one from its prefix', () => {
    const set = new PathSet();
    const long = p(Array.from({ length: 40 }, (_, n) => `directory-${n}`).join('/'));
    set.add(p('a'));
    set.add(long);
    expect([set.has(p('a')), set.has(long), set.has(p('b')), set.has(p(`${long}x`))]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
