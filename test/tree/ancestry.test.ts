import { select } from '../../src/core/archives/archive-members.ts';
import type { ReadVolume } from '../../src/core/core.ts';
import { type Landing, placeAll } from '../../src/core/placing.ts';
import type { Room } from '../../src/core/room.ts';
import type { VolumeParts } from '../../src/core/volume-parts.ts';
import { FsError } from '../../src/errors.ts';
import { Ancestry } from '../../src/tree/ancestry.ts';
import type { TreePath } from '../../src/tree/path.ts';
import { at, failure } from '../support/core.ts';

/** As deep as a path can be. */
const DEEP = 'a/'.repeat(1900);
const MANY = Array.from({ length: 2000 }, (_, n) => at(`${DEEP}f${n}`));
/** Climbing from each of them takes 15 seconds on a quick machine. */
const SOON_MS = 3000;

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

describe('Ancestry', () => {
  it('says what all directories above a path come to, the root first', () => {
    const names = new Ancestry<string>('', (above, dir) => `${above}[${dir}]`);
    expect(names.above(at('a/b/c'))).toBe('[][a][a/b]');
    expect(names.above(at('a/x'))).toBe('[][a]');
    expect(names.above(at('y'))).toBe('[]');
  });

  it('looks at a directory once, however many paths lie below it', () => {
    let looks = 0;
    const count = new Ancestry<number>(0, (above) => {
      looks += 1;
      return above + 1;
    });
    for (const path of MANY) expect(count.above(path)).toBe(1901);
    expect(looks).toBe(1901);
  });
});

describe('thousands of paths in the deepest of directories', () => {
  it('are held against each other at once where they are placed', async () => {
    const paths: readonly TreePath[] = [...MANY, at('x'), at('x/y')];
    const landings = paths.map((path) => ({ path })) as unknown as readonly Landing[];
    const placing = () => failure(placeAll({} as VolumeParts, {} as Room, landings));
    expect(await placing()).toMatchObject({ code: 'conflict', detail: { path: 'x' } });
    expect(await timeOf(placing)).toBeLessThan(SOON_MS);
  });

  it('are held against each other at once where they are packed', async () => {
    const asked: TreePath[] = [];
    const stat = async (path: TreePath) => {
      asked.push(path);
      throw new FsError('not_found', 'nothing is there');
    };
    const selecting = () => failure(select({ stat } as unknown as ReadVolume, MANY));
    expect(await selecting()).toMatchObject({ code: 'not_found' });
    expect(await timeOf(selecting)).toBeLessThan(SOON_MS);
    expect(asked).toEqual([MANY[0], MANY[0]]);
  });
});
