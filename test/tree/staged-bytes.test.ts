import { Readable } from 'node:stream';
import { parsePath as p, ROOT } from '../../src/tree/path.ts';
import { openDataRoot } from '../../src/tree/root.ts';
import { temporaryDirectory } from '../support/tree.ts';

const LIMIT = { maxBytes: 1000 };
const body = (text: string): Readable => Readable.from([Buffer.from(text)]);

describe('staged bytes', () => {
  it('are those received or copied and neither placed nor discarded, over all homes', async () => {
    using directory = temporaryDirectory();
    const root = await openDataRoot({ path: directory.path, instance: 'me', durability: 'none' });
    const [store, workspace] = [
      await root.open(['tenants', 't', 'store']),
      await root.open(['tenants', 't', 'agents', 'a']),
    ];
    const one = await store.staging.receive(body('0123456789'), LIMIT);
    const other = await workspace.staging.receive(body('01234'), LIMIT);
    expect(root.stagedBytes()).toBe(15);
    await other.discard();
    await other.discard();
    expect(root.stagedBytes()).toBe(10);
    await store.tree.place(p('d/f'), one, 'create').catch(() => undefined);
    expect(root.stagedBytes()).toBe(10);
    await store.tree.mkdir(p('d'));
    await store.tree.place(p('d/f'), one, 'create');
    expect(root.stagedBytes()).toBe(0);

    const copy = await workspace.staging.copy(await store.tree.open(p('d/f')));
    const copies = await store.staging.copyDirectory(store.tree, p('d'), async () => undefined);
    expect(root.stagedBytes()).toBe(20);
    await workspace.tree.place(p('f'), copy, 'upsert');
    await store.tree.place(p('e'), copies, 'create');
    expect([root.stagedBytes(), (await store.tree.count()).files]).toEqual([0, 4]);
  });

  it('are given back by a body that is refused or cut off', async () => {
    using directory = temporaryDirectory();
    const root = await openDataRoot({ path: directory.path, instance: 'me', durability: 'none' });
    const { staging, tree } = await root.open(['tenants', 't', 'store']);
    await expect(staging.receive(body('x'.repeat(1001)), LIMIT)).rejects.toMatchObject({ code: 'too_large' });
    const cut = Readable.from(
      (async function* () {
        yield Buffer.from('some');
        throw new Error('cut off');
      })(),
    );
    await expect(staging.receive(cut, LIMIT)).rejects.toThrow('cut off');
    expect([root.stagedBytes(), (await tree.list(ROOT, { after: null, limit: 1, depth: 1 })).entries]).toEqual([0, []]);
  });
});
