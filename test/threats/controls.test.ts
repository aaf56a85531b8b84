import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { holdDirectory } from '../../src/tree/directory.ts';
import { ACME, at, bodyOf, MEGABYTE, openVolume, put, singleCore } from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';
import { makeTree, temporaryDirectory } from '../support/tree.ts';

/** What happens without two guards whose own tests only show that they hold. */
const KB = 1024;

describe('a quota that is looked at before the write', () => {
  const [kind] = DATABASES;

  it('is passed by two hundred who look together; reserved in one step it is not (core/quota)', async () => {
    if (kind === undefined) throw new Error('there is no database to test on');
    await using one = await singleCore(kind);
    const volume = await openVolume(one);
    await put(volume, 'held', MEGABYTE);
    const limit = 2 * MEGABYTE;
    const lookThenWrite = async (n: number) => {
      const { usage } = await one.core.tenants.get(ACME);
      if (usage.bytes + 20 * KB > limit) return;
      await volume.write(at(`f${n}`), bodyOf(20 * KB), { mode: 'create', maxBytes: MEGABYTE, declaredBytes: 20 * KB });
    };
    await Promise.all(Array.from({ length: 200 }, (_, n) => lookThenWrite(n)));
    expect((await one.core.tenants.get(ACME)).usage.bytes).toBeGreaterThan(limit);
  });
});

describe('a descriptor that is closed while a call still names it', () => {
  it('is at once another tenant’s directory, where nothing keeps the two apart', () => {
    using directory = temporaryDirectory();
    makeTree(directory.path, ['mine/file: mine', 'theirs/file: theirs']);
    const flags = constants.O_RDONLY | constants.O_DIRECTORY;
    const mine = openSync(join(directory.path, 'mine'), flags);
    const queued = `/proc/self/fd/${mine}/file`;
    closeSync(mine);
    const theirs = openSync(join(directory.path, 'theirs'), flags);
    try {
      expect([theirs, readFileSync(queued, 'utf8')]).toEqual([mine, 'theirs']);
    } finally {
      closeSync(theirs);
    }
  });

  it('gives out no path any more where a handle holds it', async () => {
    using directory = temporaryDirectory();
    makeTree(directory.path, ['mine/file: mine']);
    const held = await holdDirectory(join(directory.path, 'mine'));
    expect(readFileSync(held.at('file'), 'utf8')).toBe('mine');
    held.close();
    for (const use of [() => held.at('file'), () => held.self, () => held.stat()]) {
      expect(use).toThrow('a handle was used after it was closed');
    }
    expect(() => held.close()).not.toThrow();
  });
});
