import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Actor } from '../../support/actor.ts';
import type { Answer } from '../../support/client.ts';
import { playScenarios, type Scenario, type World } from '../../support/scenario.ts';
import { until } from '../../support/wait.ts';

const NOW = new Date();
const day = (ago: number) => new Date(NOW.getTime() - ago * 86_400_000).toISOString().slice(0, 10);

/** Two files of user u1, one of them an agent's; a file in the store, and one in the agent's workspace that is read once. */
async function givenTraffic({ owner }: World) {
  await owner.uploads('a.txt', '0123456789');
  await owner.uploads('b.txt', '01234', { agentId: 'a1' });
  await owner.stores('c.txt', '012');
  await owner.writes('a1', 'd.txt', '0123456');
  await owner.does('GET /agent/a1/filesystem/files/d.txt');
  return {};
}

const NONE = { uploads: 0, downloads: 0, bytes_in: 0, bytes_out: 0 };

const USAGE: readonly Scenario[] = [
  {
    name: 'usage.get adds store, workspaces and objects of the tenant together, and what was transferred',
    before: givenTraffic,
    call: 'GET /v1/usage',
    status: 200,
    golden: 'usage',
  },
  {
    name: 'usage.get counts every object at its size, also where its content is kept once',
    before: async ({ owner }) => {
      for (const name of ['a', 'b', 'c']) await owner.uploads(name, 'the same');
      return {};
    },
    call: 'GET /v1/usage',
    status: 200,
    body: expect.objectContaining({ bytes: 24, files: 3, uploads: 3 }),
  },
  {
    name: 'usage.get with userId gives what is the user’s: files, and workspaces that belong to them',
    before: async (world) => {
      await givenTraffic(world);
      await world.owner.makesAgent('mine', { user_id: 'u1' });
      await world.owner.writes('mine', 'e.txt', '01');
      return {};
    },
    call: 'GET /v1/usage?userId=u1',
    status: 200,
    body: expect.objectContaining({ bytes: 17, files: 3, limit_bytes: 0, limit_files: 0, uploads: 2, downloads: 0 }),
  },
  {
    name: 'usage.get has a download a moment after its last byte',
    before: async ({ owner }) => {
      const { id } = await owner.uploads('a.txt', '0123456789');
      await owner.does(`GET /v1/files/${id}/content`, { headers: { range: 'bytes=2-4' } });
      await until(async () => (await downloadsOf(owner)) === 1, 'the download in the account');
      return {};
    },
    call: 'GET /v1/usage?userId=u1',
    status: 200,
    body: expect.objectContaining({ uploads: 1, downloads: 1 }),
  },
  {
    name: 'usage.get with agentId gives what is the agent’s: its workspace and its files',
    before: givenTraffic,
    call: 'GET /v1/usage?agentId=a1',
    status: 200,
    body: expect.objectContaining({ bytes: 12, files: 2, uploads: 2, downloads: 1 }),
  },
  {
    name: 'usage.get with both gives what the agent has of the user',
    before: givenTraffic,
    call: 'GET /v1/usage?userId=u1&agentId=a1',
    status: 200,
    body: expect.objectContaining({ bytes: 5, files: 1, uploads: 1 }),
  },
  {
    name: 'usage.get shows the room that writes under way have reserved, of the tenant and of the agent',
    before: async (world) => {
      const { daemon, owner } = world;
      const { hostname, port } = new URL(daemon.url);
      const socket = connect(Number(port), hostname);
      const head = `PUT /agent/a1/filesystem/files/slow?upsert=true&raw=true HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n`;
      socket.write(`${head}Authorization: Bearer ${daemon.token({ tenant: world.tenant })}\r\n\r\nthe first of it`);
      const json = { content_type: 'text/plain', expected_file_size: '700' };
      await owner.does('POST /storage/upload', { json });
      await until(async () => (await reservedOf(owner)) === 5700, 'the reservations');
      expect(await reservedOf(owner, '?agentId=a1')).toBe(5000);
      expect(await reservedOf(owner, '?userId=u1')).toBe(0);
      socket.destroy();
      await until(async () => (await reservedOf(owner)) === 700, 'the end of the write');
      return {};
    },
    call: 'GET /v1/usage',
    status: 200,
    body: expect.objectContaining({ bytes: 0, files: 0, reserved_bytes: 700, uploads: 0 }),
  },
  {
    name: 'usage.get of somebody nobody has heard of is nothing, also where they were asked about',
    before: async ({ owner }) => {
      expect((await owner.does('GET /agent/ghost/filesystem/files/x')).status).toBe(404);
      expect((await owner.does('GET /agent/ghost')).status).toBe(404);
      return {};
    },
    call: 'GET /v1/usage?agentId=ghost',
    status: 200,
    body: expect.objectContaining({ bytes: 0, files: 0, ...NONE }),
  },
  {
    name: 'usage.get shows the limits of the tenant, and of an agent those of its workspace',
    before: async ({ owner }) => {
      await owner.makesAgent('a1', { quota_bytes: 1000, quota_files: 10 });
      return {};
    },
    call: 'GET /v1/usage?agentId=a1',
    status: 200,
    body: expect.objectContaining({ limit_bytes: 1000, limit_files: 10 }),
    after: async ({ owner }) => {
      expect((await owner.does('GET /v1/usage')).body).toMatchObject({ limit_bytes: 10 * 1024 ** 3, limit_files: 0 });
    },
  },
  {
    name: 'usage.get by a credential of one user is that user’s, and another’s is 403',
    before: givenTraffic,
    as: { user: 'u1', scope: 'usage:read' },
    call: 'GET /v1/usage',
    status: 200,
    body: expect.objectContaining({ bytes: 15, files: 2, uploads: 2 }),
    after: async (world) => {
      const bound = world.as({ user: 'u1', scope: 'usage:read' });
      expect((await bound.does('GET /v1/usage?userId=u1')).body).toMatchObject({ bytes: 15 });
      expect((await bound.does('GET /v1/usage?agentId=a1')).body).toMatchObject({ bytes: 5 });
      for (const path of ['/v1/usage', '/v1/usage/daily']) {
        expect((await bound.does(`GET ${path}?userId=u2`)).body).toMatchObject({ code: 'forbidden' });
      }
    },
  },
  {
    name: 'usage.get is refused to a credential of one agent, whatever it claims',
    as: { agent: 'a1', scope: 'usage:read workspace:read' },
    call: 'GET /v1/usage?agentId=a1',
    status: 403,
    code: 'forbidden',
  },
  { name: 'usage.get of an agent id that is none is 400', call: 'GET /v1/usage?agentId=..', status: 400 },
  {
    name: 'usage.get forgets a tenant that is removed',
    before: async (world) => {
      await givenTraffic(world);
      const admin = world.as({ scope: 'admin' });
      expect((await admin.does(`DELETE /admin/tenants/${world.tenant}`)).status).toBe(204);
      const operator = world.daemon.token({ tenant: 'operator', scope: 'admin' });
      const headers = { authorization: `Bearer ${operator}` };
      const again = await world.as('nobody').does(`PUT /admin/tenants/${world.tenant}`, { json: {}, headers });
      expect(again.status).toBe(201);
      return {};
    },
    call: 'GET /v1/usage?userId=u1',
    status: 200,
    body: expect.objectContaining({ bytes: 0, files: 0, ...NONE }),
  },
];

const DAILY: readonly Scenario[] = [
  {
    name: 'usage.daily lists each day, with what was held at its end',
    before: givenTraffic,
    call: `GET /v1/usage/daily?from=${day(1)}`,
    status: 200,
    golden: 'daily',
  },
  {
    name: 'usage.daily gives thirty days, the last of them today',
    call: 'GET /v1/usage/daily',
    status: 200,
    after: async (_world, { body }) => {
      const { days } = body as { days: { date: string }[] };
      expect([days.length, days.at(0)?.date, days.at(-1)?.date]).toEqual([30, day(29), day(0)]);
    },
  },
  {
    name: 'usage.daily exports CSV with format=csv, and where Accept names it alone',
    before: givenTraffic,
    call: `GET /v1/usage/daily?from=${day(1)}&format=csv`,
    status: 200,
    answers: {
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': 'attachment; filename="usage.csv"',
    },
    after: async ({ owner }, answer) => {
      await expectGoldenText(answer, 'daily.csv');
      const types: Record<string, RegExp> = {
        'text/csv': /csv/,
        'application/json, text/csv': /json/,
        '*/*': /json/,
        '': /json/,
      };
      for (const [accept, expected] of Object.entries(types)) {
        const { headers } = await owner.does('GET /v1/usage/daily', { headers: { accept } });
        expect([accept, headers['content-type']]).toEqual([accept, expect.stringMatching(expected)]);
        expect(headers.vary).toContain('Accept');
      }
      const both = await owner.does('GET /v1/usage/daily?format=json', { headers: { accept: 'text/csv' } });
      expect(both.headers['content-type']).toMatch(/json/);
    },
  },
  {
    name: 'usage.daily of a user or an agent has their transfers and nothing of what is held',
    before: givenTraffic,
    call: `GET /v1/usage/daily?from=${day(0)}&agentId=a1`,
    status: 200,
    body: expect.objectContaining({
      days: [expect.objectContaining({ bytes: null, files: null, uploads: 2, downloads: 1 })],
    }),
  },
  ...[
    ['a day that is none', `from=${day(0).slice(0, 4)}-02-30`],
    ['another way of writing a day', 'from=20260115'],
    ['a time', `to=${new Date().toISOString()}`],
    ['days in the wrong order', `from=${day(0)}&to=${day(1)}`],
    ['more than 400 days', `from=${day(400)}&to=${day(-1)}`],
    ['days that are not kept', `from=${day(500)}&to=${day(450)}`],
    ['another format', 'format=xml'],
  ].map(
    ([what, query]): Scenario => ({
      name: `usage.daily refuses ${what} with 400`,
      call: `GET /v1/usage/daily?${query}`,
      status: 400,
      code: 'invalid_request',
    }),
  ),
  {
    name: 'usage.daily takes 400 days, and tells of none that are still to come',
    call: `GET /v1/usage/daily?from=${day(398)}&to=${day(-1)}`,
    status: 200,
    after: async (_world, { body }) => expect((body as { days: unknown[] }).days).toHaveLength(399),
  },
];

playScenarios('the account of usage', import.meta.url, USAGE);
playScenarios('the days of usage', import.meta.url, DAILY);

async function downloadsOf(owner: Actor): Promise<number> {
  return ((await owner.does('GET /v1/usage')).body as { downloads: number }).downloads;
}

async function reservedOf(owner: Actor, question = ''): Promise<number> {
  return ((await owner.does(`GET /v1/usage${question}`)).body as { reserved_bytes: number }).reserved_bytes;
}

async function expectGoldenText({ text }: Answer, name: string): Promise<void> {
  const file = fileURLToPath(new URL(`golden/${name}`, import.meta.url));
  const steady = text.replace(/\d{4}-\d\d-\d\d/g, '<day>');
  if (process.env.UPDATE_GOLDEN === '1') await writeFile(file, steady);
  expect(steady).toBe(await readFile(file, 'utf8'));
}
