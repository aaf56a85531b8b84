import { linesOf, playScenarios, type Scenario } from '../../support/scenario.ts';

const ARCHIVES = '/api/v1/files/archives';
const EXTRACT = `${ARCHIVES}/extract`;
const MIB = 1024 * 1024;

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'store.archive packs files and directories into the store',
    given: ['store/in/a.csv: 1,2', 'store/in/b/c.txt: c'],
    call: `POST ${ARCHIVES}`,
    json: { paths: ['in'], output_path: 'out/in.tar' },
    status: 201,
    golden: 'archived',
    after: async ({ owner }) => {
      const streamed = await owner.does(`POST ${ARCHIVES}`, { json: { paths: ['in'], format: 'tar' } });
      expect(streamed.headers).toMatchObject({ 'content-type': 'application/x-tar' });
      const stored = await owner.does('GET /api/v1/files/download?path=out/in.tar');
      expect(stored.bytes.equals(streamed.bytes)).toBe(true);
    },
  },
  {
    name: 'store.extract extracts an archive of the store',
    given: ['store/in/a.csv: 1,2', 'store/in/b/c.txt: c'],
    before: async ({ owner }) => {
      await owner.does(`POST ${ARCHIVES}`, { json: { paths: ['in/a.csv', 'in/b'], output_path: 'x.zip' } });
      await owner.does('DELETE /api/v1/files?path=in&recursive=true');
      return undefined;
    },
    call: `POST ${EXTRACT}`,
    json: { archive_path: 'x.zip', destination: 'out' },
    status: 200,
    golden: 'extracted',
    after: async ({ disk }) => {
      const lines = (await linesOf(disk('store'))).filter((line) => !line.startsWith('x.zip'));
      expect(lines).toEqual(['out/', 'out/a.csv: 1,2', 'out/b/', 'out/b/c.txt: c']);
    },
  },
  {
    name: 'store.extract refuses a file that is larger than a file of the store may be with 413, naming it',
    before: async ({ owner }) => {
      await owner.makesAgent('a1');
      await owner.writes('a1', 'in/large.bin', Buffer.alloc(3 * MIB));
      const json = { paths: ['in'], format: 'tar.gz' };
      const { bytes } = await owner.does('POST /agent/a1/filesystem/archives', { json });
      await owner.stores('x.tgz', bytes);
      return undefined;
    },
    call: `POST ${EXTRACT}`,
    json: { archive_path: 'x.tgz', destination: 'out' },
    status: 413,
    code: 'too_large',
    after: async ({ owner, disk }, answer) => {
      expect(answer.body).toMatchObject({ path: 'in/large.bin', limit: 2 * MIB });
      expect(await linesOf(disk('store'))).toEqual([expect.stringMatching(/^x\.tgz: /)]);
      const archive = await owner.does(`POST ${ARCHIVES}`, {
        json: { paths: Array.from({ length: 9 }, (_, n) => `no${n}`), output_path: 'y.tar' },
      });
      expect(archive.status).toBe(404);
    },
  },
  {
    name: 'store.extract asks for the right to write, store.archive for that only to store',
    given: ['store/a.txt: a'],
    as: { scope: 'store:read' },
    call: `POST ${EXTRACT}`,
    json: { archive_path: 'a.txt', destination: 'out' },
    status: 403,
    after: async ({ as }) => {
      const reader = as({ scope: 'store:read' });
      const status = async (json: object) => (await reader.does(`POST ${ARCHIVES}`, { json })).status;
      expect(await status({ paths: ['a.txt'] })).toBe(200);
      expect(await status({ paths: ['a.txt'], output_path: 'x.zip' })).toBe(403);
      expect((await as('nobody').does(`POST ${ARCHIVES}`, { json: { paths: ['a.txt'] } })).status).toBe(401);
    },
  },
];

playScenarios('store: archives', import.meta.url, SCENARIOS, { env: { STORE_MAX_FILE_BYTES: '2MiB' } });
