import {
  ACME,
  at,
  bodyOf,
  coreSite,
  failure,
  grantOf,
  type OneCore,
  openVolume,
  pathsOf,
  put,
} from '../support/core.ts';
import { DATABASES } from '../support/databases.ts';

const KB = 1024;
const SEVERAL = { severalProcesses: true };

for (const kind of DATABASES) {
  describe(`two processes over one root on ${kind.name}`, () => {
    it('never pass a quota together', async () => {
      await using site = await coreSite(kind);
      const cores = [await site.open(SEVERAL), await site.open(SEVERAL)];
      await cores[0]?.core.tenants.put(ACME, { quotaBytes: 500 * KB });
      const volumes = await Promise.all(cores.map((one) => openVolume(one)));
      const writers = volumes.flatMap((volume, process) =>
        Array.from({ length: 40 }, (_, n) => failure(put(volume, `p${process}/f${n}`, 20 * KB))),
      );
      const outcomes = await Promise.all(writers);
      const written = outcomes.filter((outcome) => outcome === 'it succeeded').length;
      const usage = (await cores[0]?.core.tenants.get(ACME))?.usage;
      expect(usage).toMatchObject({ bytes: written * 20 * KB, reservedBytes: 0 });
      expect(written).toBe(25);
    });

    it('count again while the other writes, and lose nothing', async () => {
      await using site = await coreSite(kind);
      const cores = [await site.open(SEVERAL), await site.open(SEVERAL)];
      const [writing, counting] = cores;
      if (writing === undefined || counting === undefined) throw new Error('there are two');
      await writing.core.tenants.admit(ACME);
      const volume = await openVolume(writing);
      const writers = Array.from({ length: 20 }, async (_, n) => {
        await put(volume, `d${n % 3}/f${n}`, 100 + n);
        if (n % 2 === 0) await volume.remove(at(`d${n % 3}/f${n}`), { recursive: false });
      });
      const counts = Array.from({ length: 4 }, () => counting.core.volumes.rescan(ACME, { dryRun: false }));
      await Promise.all([...writers, ...counts]);
      const { drift } = await counting.core.volumes.rescan(ACME, { dryRun: true });
      expect(drift).toEqual({ bytes: 0, files: 0 });
    });

    it('make and delete files of one content, and leave it where a file has it and nowhere else', async () => {
      await using site = await coreSite(kind);
      const cores = [await site.open(SEVERAL), await site.open(SEVERAL)];
      const [one, other] = cores;
      if (one === undefined || other === undefined) throw new Error('there are two');
      await one.core.tenants.admit(ACME);
      const keep = async ({ core }: OneCore) => {
        const received = await core.objects.receive(ACME, bodyOf('the same'), { maxBytes: 100 });
        const nobodys = { userId: null, agentId: null, sessionId: null, purpose: null };
        return received.keep(grantOf(), { ...nobodys, filename: 'a.txt' });
      };
      const home = await one.root.open(['tenants', ACME, 'objects']);
      const contents = async () => (await pathsOf(home.tree)).filter((path) => !path.endsWith('/'));
      let last = await keep(one);
      for (let round = 0; round < 8; round += 1) {
        const [first, second] = await Promise.all([
          keep(one),
          keep(other),
          other.core.objects.remove(grantOf(), last.id),
        ]);
        for (const { id } of [first, second]) {
          const { file } = await one.core.objects.open(grantOf(), id);
          expect((await file.bytes(100)).toString()).toBe('the same');
          await file.close();
        }
        const going = round % 2 === 0 ? [one, other] : [one, one];
        await Promise.all(going.map(({ core }) => core.objects.remove(grantOf(), first.id)));
        last = second;
      }
      expect(await contents()).toHaveLength(1);
      await Promise.all(cores.map(({ core }) => core.objects.remove(grantOf(), last.id)));
      expect(await contents()).toEqual([]);
      expect((await one.core.tenants.get(ACME)).usage).toMatchObject({ bytes: 0, files: 0, reservedBytes: 0 });
      expect(await one.core.volumes.rescan(ACME, { dryRun: true })).toMatchObject({ drift: { bytes: 0, files: 0 } });
    });

    it('move and remove directories that the other writes into, and keep the ledger true', async () => {
      await using site = await coreSite(kind);
      const cores = [await site.open(SEVERAL), await site.open(SEVERAL)];
      await cores[0]?.core.tenants.admit(ACME);
      const [writing, moving] = await Promise.all(cores.map((one) => openVolume(one)));
      if (writing === undefined || moving === undefined) throw new Error('there are two');
      const writers = Array.from({ length: 20 }, (_, n) => failure(put(writing, `d/f${n}`, 50)));
      const movers = Array.from({ length: 6 }, async (_, n) => {
        await failure(moving.move(at('d'), at(`moved/${n}`), { overwrite: false }));
        await failure(moving.remove(at(`moved/${n}`), { recursive: true }));
      });
      await Promise.all([...writers, ...movers]);
      const rescan = await cores[1]?.core.volumes.rescan(ACME, { dryRun: true });
      expect(rescan?.drift).toEqual({ bytes: 0, files: 0 });
      expect(rescan?.disk.files).toBe((await pathsOf(moving)).length);
    });
  });
}
