import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { startTestDaemon } from '../../support/daemon.ts';
import { linesOf, makeWorld, playScenarios, type Scenario } from '../../support/scenario.ts';
import { until } from '../../support/wait.ts';

const CALL = 'POST /agent/a1/filesystem/operations/batch';
const base64 = (bytes: Buffer) => bytes.toString('base64');

const WORKING: readonly Scenario[] = [
  {
    name: 'filesystem.batch does one after the other and says of each what its own call would have answered',
    given: ['a1/old.txt: old', 'a1/dir/x.txt: x'],
    call: CALL,
    json: {
      operations: [
        { op: 'write', path: 'in/a.txt', content: 'a' },
        { op: 'write', path: '/in/a.txt', content: 'again' },
        {
          op: 'write',
          path: '/in/a.txt',
          content: 'YWdhaW4=',
          encoding: 'base64',
          overwrite: true,
          permissions: '0600',
        },
        { op: 'mkdir', path: 'made/' },
        { op: 'mkdir', path: 'made' },
        { op: 'mkdir', path: 'old.txt' },
        { op: 'copy', source: 'in/a.txt', destination: 'made/b.txt' },
        { op: 'copy', source: 'no.txt', destination: 'made/c.txt' },
        { op: 'move', source: 'old.txt', destination: 'made/old.txt' },
        { op: 'move', source: 'made', destination: 'made/deeper' },
        { op: 'delete', path: 'dir' },
        { op: 'delete', path: 'dir', recursive: true },
        { op: 'delete', path: 'in/a.txt' },
        { op: 'delete', path: 'in/a.txt' },
        { op: 'delete', path: '../out' },
      ],
    },
    status: 200,
    golden: 'batch',
    leaves: { a1: ['in/', 'made/', 'made/b.txt: again', 'made/old.txt: old'] },
  },
  {
    name: 'filesystem.batch of one write makes the workspace; of a mistake, or of what needs something there, none',
    call: CALL,
    json: {
      operations: [
        { op: 'write', path: 'a/../b', content: 'x' },
        { op: 'write', path: 'b', content: 'no base64', encoding: 'base64' },
        { op: 'delete', path: 'b' },
        { op: 'move', source: 'b', destination: 'c' },
      ],
    },
    status: 200,
    after: async ({ owner }, { body }) => {
      const { results } = body as { results: { status: number; path: string }[] };
      expect(results.map(({ status, path }) => `${path} ${status}`)).toEqual([
        'a/../b 400',
        '/b 400',
        '/b 404',
        '/c 404',
      ]);
      expect((await owner.does('GET /agent/a1/filesystem/directories')).status).toBe(404);
      expect((await owner.does(CALL, { json: { operations: [{ op: 'mkdir', path: '/' }] } })).status).toBe(200);
      expect((await owner.does('GET /agent/a1/filesystem/directories')).body).toMatchObject({ entries: [] });
    },
  },
  {
    name: 'filesystem.batch empties the workspace only when told to, and reaches names that are not UTF-8',
    given: ['a1/x.txt: x', 'a1/link => x.txt'],
    before: async ({ owner, disk }) => {
      await owner.writes('a1', 'odd', 'odd');
      const name = Buffer.concat([Buffer.from(`${disk('a1')}/o`), Buffer.of(0xff)]);
      await writeFile(name, 'odd');
      return undefined;
    },
    call: CALL,
    json: {
      operations: [
        { op: 'copy', source_b64: base64(Buffer.from('o\xff', 'latin1')), destination: 'even' },
        { op: 'delete', path_b64: base64(Buffer.from('o\xff', 'latin1')) },
        { op: 'delete', path: 'link' },
        { op: 'delete', path: '/' },
        { op: 'delete', path: 'x.txt', path_b64: 'eA==' },
        { op: 'delete' },
      ],
    },
    status: 200,
    leaves: { a1: ['even: odd', 'odd: odd', 'x.txt: x'] },
    after: async ({ owner, disk }, { body }) => {
      const { results } = body as { results: { status: number }[] };
      expect(results.map(({ status }) => status)).toEqual([200, 200, 200, 409, 400, 400]);
      const json = { operations: [{ op: 'delete', path: '', recursive: true }] };
      expect((await owner.does(CALL, { json })).body).toMatchObject({ results: [{ path: '/', status: 200 }] });
      expect(await linesOf(disk('a1'))).toEqual([]);
    },
  },
];

const REFUSED: readonly Scenario[] = [
  {
    name: 'filesystem.batch over the quota refuses that write with 507 and goes on',
    before: async ({ owner }) => {
      await owner.makesAgent('a1', { quota_bytes: 10 });
      return undefined;
    },
    call: CALL,
    json: {
      operations: [
        { op: 'write', path: 'a', content: '12345678' },
        { op: 'write', path: 'b', content: '12345678' },
        { op: 'copy', source: 'a', destination: 'c' },
        { op: 'delete', path: 'a' },
        { op: 'write', path: 'b', content: '12345678' },
      ],
    },
    status: 200,
    leaves: { a1: ['b: 12345678'] },
    after: async (_, { body }) => {
      const { results } = body as { results: { status: number; error?: { code: string } }[] };
      expect(results.map(({ status }) => status)).toEqual([201, 507, 507, 200, 201]);
      expect(results[1]?.error).toMatchObject({ code: 'quota_exceeded' });
    },
  },
  {
    name: 'filesystem.batch whose body is not as documented is 400 before the first is done',
    given: ['a1/x.txt: x'],
    call: CALL,
    json: {
      operations: [
        { op: 'delete', path: 'x.txt' },
        { op: 'chmod', path: 'x.txt' },
      ],
    },
    status: 400,
    code: 'invalid_request',
    leaves: { a1: ['x.txt: x'] },
    after: async ({ owner, disk }) => {
      const remove = { op: 'delete', path: 'x.txt' };
      for (const operations of [
        [],
        [remove, { op: 'write', path: 'y' }],
        Array(1001).fill(remove),
        remove,
        [[remove]],
      ]) {
        expect((await owner.does(CALL, { json: { operations } })).status).toBe(400);
      }
      const headers = { 'if-match': '*' };
      expect((await owner.does(CALL, { json: { operations: [remove] }, headers })).status).toBe(400);
      expect(await linesOf(disk('a1'))).toEqual(['x.txt: x']);
    },
  },
  {
    name: 'filesystem.batch of a thousand is done, and of another agent or without the scope refused whole',
    given: ['a1/x.txt: x'],
    call: CALL,
    json: { operations: Array.from({ length: 1000 }, () => ({ op: 'mkdir', path: 'd' })) },
    status: 200,
    leaves: { a1: ['d/', 'x.txt: x'] },
    after: async ({ as }) => {
      const json = { operations: [{ op: 'write', path: 'y', content: 'y' }] };
      expect((await as({ agent: 'a2' }).does(CALL, { json })).status).toBe(403);
      expect((await as({ scope: 'workspace:read' }).does(CALL, { json })).status).toBe(403);
      expect((await as({ agent: 'a1', scope: 'workspace:write' }).does(CALL, { json })).status).toBe(200);
    },
  },
];

playScenarios('several operations at once', import.meta.url, [...WORKING, ...REFUSED]);

describe('a client that goes away', () => {
  it('filesystem.batch does no more once its client is gone', async () => {
    const daemon = await startTestDaemon({ env: { DURABILITY: 'fsync' } });
    try {
      const { owner, tenant, disk } = makeWorld(daemon);
      await owner.makesAgent('a1');
      const operations = Array.from({ length: 1000 }, (_, n) => ({ op: 'write', path: `${n}`, content: 'x' }));
      const asked = request(`${daemon.url}/agent/a1/filesystem/operations/batch`, {
        method: 'POST',
        headers: { authorization: `Bearer ${daemon.token({ tenant })}`, 'content-type': 'application/json' },
      });
      asked.on('error', () => undefined);
      asked.end(JSON.stringify({ operations }));
      await until(async () => (await linesOf(disk('a1'))).length > 0, 'the first file');
      asked.destroy();
      const counts: number[] = [];
      await until(async () => {
        counts.unshift((await linesOf(disk('a1'))).length);
        return counts.length > 20 && counts.slice(0, 20).every((count) => count === counts[0]);
      }, 'no more files');
      expect(counts[0]).toBeLessThan(1000);
    } finally {
      await daemon.close();
    }
  });
});
