import { linesOf, playScenarios, type Scenario, type World } from '../../support/scenario.ts';

const UPLOAD = 'POST /api/v1/files/upload';
const file = (filename: string, value: string) => ({ name: 'files', filename, value });
const prefix = { name: 'path', value: 'in' };
const old = 'o'.repeat(100_000);
const renewed = 'n'.repeat(100_000);

/** No room is left beside the file. */
const full =
  (path: string) =>
  async ({ owner, as, tenant }: World) => {
    await owner.stores(path, old);
    await as({ scope: 'admin' }).does(`PUT /admin/tenants/${tenant}`, { json: { quota_bytes: old.length } });
    return undefined;
  };

const usageOf = async ({ as, tenant }: World) =>
  ((await as({ scope: 'admin' }).does(`GET /admin/tenants/${tenant}`)).body as { usage: unknown }).usage;

const OVERWRITING: readonly Scenario[] = [
  {
    name: 'store.upload over a file counts the difference: the same size fits a full store',
    before: full('a.bin'),
    call: UPLOAD,
    form: [file('a.bin', renewed)],
    status: 200,
    leaves: { store: [`a.bin: ${renewed}`] },
  },
  {
    name: 'store.upload over a file below the field `path` that came first counts the difference',
    before: full('in/a.bin'),
    call: UPLOAD,
    form: [prefix, file('a.bin', renewed)],
    status: 200,
    leaves: { store: ['in/', `in/a.bin: ${renewed}`] },
  },
  {
    name: 'store.upload that makes a file larger than the quota is 507, and leaves what was there',
    before: full('a.bin'),
    call: UPLOAD,
    form: [file('a.bin', `${renewed}!`)],
    status: 507,
    code: 'quota_exceeded',
    leaves: { store: [`a.bin: ${old}`] },
    after: async ({ owner, disk }) => {
      // Beside the file that the part's name speaks of without its prefix, there is no room.
      const elsewhere = await owner.does(UPLOAD, { form: [file('a.bin', renewed), prefix] });
      expect(elsewhere).toMatchObject({ status: 507, body: { code: 'quota_exceeded' } });
      expect(await linesOf(disk('store'))).toEqual([`a.bin: ${old}`]);
    },
  },
  {
    name: 'store.upload of one file by two at once never passes the quota',
    before: full('a.bin'),
    call: UPLOAD,
    form: [file('a.bin', renewed)],
    status: 200,
    after: async (world) => {
      const { owner } = world;
      const rivals = ['1', '2'].map((digit) => owner.does(UPLOAD, { form: [file('a.bin', digit.repeat(100_000))] }));
      expect((await Promise.all(rivals)).map(({ status }) => status)).toEqual([200, 200]);
      expect(await usageOf(world)).toMatchObject({ bytes: 100_000, files: 1 });
      const beside = await owner.does(UPLOAD, { form: [file('b.bin', '1')] });
      expect(beside.status).toBe(507);
    },
  },
];

playScenarios('the store, overwriting', import.meta.url, OVERWRITING);
