import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { actor } from '../../support/actor.ts';
import { bringAbout, playScenarios, type Scenario, type World } from '../../support/scenario.ts';
import { until } from '../../support/wait.ts';

const ADMIN = { scope: 'admin' } as const;
const named = async ({ tenant }: World) => ({ tenant });

const TENANTS: readonly Scenario[] = [
  {
    name: 'admin.putTenant makes a tenant: 201, and changes its limits: 200',
    as: ADMIN,
    before: async ({ tenant }) => ({ other: `${tenant}-other` }),
    call: 'PUT /admin/tenants/{other}',
    json: { quota_bytes: 1000, quota_files: 5 },
    status: 201,
    golden: 'tenant',
    after: async ({ as, tenant }) => {
      const admin = as(ADMIN);
      const changed = await admin.does(`PUT /admin/tenants/${tenant}-other`, { json: { quotaFiles: 7 } });
      expect(changed).toMatchObject({ status: 200, body: { quota_bytes: 1000, quota_files: 7 } });
    },
  },
  {
    name: 'admin.putTenant refuses ids and limits that are none',
    as: ADMIN,
    call: 'PUT /admin/tenants/-bad-',
    json: {},
    status: 400,
    code: 'invalid_request',
    after: async ({ as, tenant }) => {
      for (const json of [{ quota_bytes: -1 }, { quota_bytes: 1.5 }, { quota_files: '10' }, []]) {
        expect((await as(ADMIN).does(`PUT /admin/tenants/${tenant}`, { json })).status).toBe(400);
      }
    },
  },
  {
    name: 'admin.getTenant shows limits and usage of any tenant; a missing one is 404',
    given: ['store/a.txt: 0123456789', 'a1/b.txt: 12345'],
    before: named,
    as: ADMIN,
    call: 'GET /admin/tenants/{tenant}',
    status: 200,
    golden: 'tenant-usage',
    after: async ({ as, tenant }) => {
      expect((await as(ADMIN).does(`GET /admin/tenants/${tenant}-none`)).status).toBe(404);
    },
  },
  {
    name: 'admin.listTenants pages through all of them',
    as: ADMIN,
    before: async ({ as, tenant }) => {
      for (const n of [1, 2, 3]) await as(ADMIN).does(`PUT /admin/tenants/${tenant}-${n}`, { json: {} });
      return undefined;
    },
    call: 'GET /admin/tenants?limit=2',
    status: 200,
    after: async ({ as, tenant }) => {
      const seen: string[] = [];
      let cursor = '';
      do {
        const { body } = await as(ADMIN).does(`GET /admin/tenants?limit=2${cursor}`);
        const page = body as { tenants: { tenant: string }[]; next_cursor?: string };
        expect(page.tenants.length).toBeLessThanOrEqual(2);
        seen.push(...page.tenants.map((one) => one.tenant));
        cursor = page.next_cursor === undefined ? '' : `&cursor=${page.next_cursor}`;
      } while (cursor !== '');
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen).toEqual(expect.arrayContaining([1, 2, 3].map((n) => `${tenant}-${n}`)));
    },
  },
  {
    name: 'admin.deleteTenant takes all it holds, and its tokens get 403 until it is put again, empty',
    given: ['store/a.txt: x', 'a1/b.txt: y'],
    before: async ({ as, tenant }) => {
      await as(ADMIN).does(`PUT /admin/tenants/${tenant}-operator`, { json: {} });
      return { tenant };
    },
    as: ADMIN,
    call: 'DELETE /admin/tenants/{tenant}',
    status: 204,
    after: async ({ daemon, owner, tenant }) => {
      const operator = actor(daemon.url, daemon.token({ tenant: `${tenant}-operator`, scope: 'admin' }));
      await until(async () => (await owner.does('GET /api/v1/files')).status === 403, 'the tombstone holds');
      expect((await operator.does(`DELETE /admin/tenants/${tenant}`)).status).toBe(404);
      expect((await operator.does(`PUT /admin/tenants/${tenant}`, { json: {} })).status).toBe(201);
      await until(async () => (await owner.does('GET /api/v1/files')).status === 200, 'the tenant is back');
      expect((await owner.does('GET /api/v1/files')).body).toEqual({ files: [] });
      expect((await owner.does('GET /agent/a1')).status).toBe(404);
    },
  },
];

interface KeyBody {
  readonly id: string;
  readonly key: string;
}

const KEYS: readonly Scenario[] = [
  {
    name: 'admin.createKey makes a key that works at once, by either header, with the scope it was given',
    given: ['store/a.txt: x'],
    before: named,
    as: ADMIN,
    call: 'POST /admin/tenants/{tenant}/keys',
    json: { scope: 'store:read files:read' },
    status: 201,
    answers: { 'cache-control': 'no-store' },
    after: async ({ as, tenant }, { body }) => {
      const { id, key } = body as KeyBody;
      expect(body).toEqual({
        id: expect.any(String),
        key: expect.any(String),
        scope: 'store:read files:read',
        agent: null,
        created_at: expect.stringMatching(/Z$/),
      });
      for (const headers of [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }, { 'x-sapiom-api-key': key }]) {
        expect((await as('nobody').does('GET /api/v1/files', { headers })).status).toBe(200);
        expect((await as('nobody').does('GET /agent', { headers })).status).toBe(403);
      }
      const listed = await as(ADMIN).does(`GET /admin/tenants/${tenant}/keys`);
      expect(listed.body).toEqual({ keys: [expect.objectContaining({ id })] });
      expect(listed.text).not.toContain(key);
    },
  },
  {
    name: 'admin.createKey binds a key to an agent, and refuses scopes and agents that are none',
    before: named,
    as: ADMIN,
    call: 'POST /admin/tenants/{tenant}/keys',
    json: { scope: 'store:everything' },
    status: 400,
    code: 'invalid_request',
    after: async ({ as, tenant }) => {
      const keys = `/admin/tenants/${tenant}/keys`;
      expect((await as(ADMIN).does(`POST ${keys}`, { json: { agent: '../x' } })).status).toBe(400);
      const bound = await as(ADMIN).does(`POST ${keys}`, { json: { agent: 'a1' } });
      expect(bound).toMatchObject({ status: 201, body: { agent: 'a1', scope: null } });
      const headers = { 'x-api-key': (bound.body as KeyBody).key };
      const put = (agent: string) => `PUT /agent/${agent}/filesystem/files/x?upsert=true`;
      expect((await as('nobody').does(put('a1'), { raw: 'x', headers })).status).toBe(200);
      expect((await as('nobody').does(put('a2'), { raw: 'x', headers })).status).toBe(403);
    },
  },
  {
    name: 'admin.createKey makes the tenant of the key where there is none, but brings no deleted one back',
    before: async ({ tenant }) => ({ other: `${tenant}-other` }),
    as: ADMIN,
    call: 'POST /admin/tenants/{other}/keys',
    json: {},
    status: 201,
    after: async ({ as, tenant }) => {
      const other = `/admin/tenants/${tenant}-other`;
      expect((await as(ADMIN).does(`GET ${other}`)).status).toBe(200);
      await as(ADMIN).does(`DELETE ${other}`);
      await until(
        async () => (await as(ADMIN).does(`POST ${other}/keys`, { json: {} })).status === 403,
        'it is refused',
      );
    },
  },
  {
    name: 'admin.listKeys shows the keys without the keys themselves; a missing tenant is 404',
    before: async ({ as, tenant }) => {
      await as(ADMIN).does(`POST /admin/tenants/${tenant}/keys`, { json: {} });
      return { tenant };
    },
    as: ADMIN,
    call: 'GET /admin/tenants/{tenant}/keys',
    status: 200,
    body: { keys: [{ id: expect.any(String), scope: null, agent: null, created_at: expect.any(String) }] },
    after: async ({ as, tenant }) => {
      expect((await as(ADMIN).does(`GET /admin/tenants/${tenant}-none/keys`)).status).toBe(404);
    },
  },
  {
    name: 'admin.revokeKey stops a key within 5 seconds; an unknown one is 404',
    before: async ({ as, tenant }) => {
      const { body } = await as(ADMIN).does(`POST /admin/tenants/${tenant}/keys`, { json: {} });
      return { tenant, id: (body as KeyBody).id };
    },
    as: ADMIN,
    call: 'DELETE /admin/tenants/{tenant}/keys/{id}',
    status: 204,
    after: async ({ as, tenant }) => {
      const { body } = await as(ADMIN).does(`POST /admin/tenants/${tenant}/keys`, { json: {} });
      const { id, key } = body as KeyBody;
      const asked = () => as('nobody').does('GET /api/v1/files', { headers: { 'x-api-key': key } });
      expect((await asked()).status).toBe(200);
      expect((await as(ADMIN).does(`DELETE /admin/tenants/${tenant}/keys/${id}`)).status).toBe(204);
      await until(async () => (await asked()).status === 401, 'the key is refused', 10_000);
      expect((await as(ADMIN).does(`DELETE /admin/tenants/${tenant}/keys/no-such-key`)).status).toBe(404);
      expect((await as(ADMIN).does(`GET /admin/tenants/${tenant}/keys`)).body).toEqual({ keys: [] });
    },
  },
];

const RESCAN: readonly Scenario[] = [
  {
    name: 'admin.rescan compares the ledger with the disk and mends it, unless dry_run=true',
    given: ['store/a.txt: 0123456789'],
    before: async (world) => {
      await bringAbout(world, 'a1/x.txt: x');
      await writeFile(join(world.disk('a1'), 'behind-its-back.txt'), 'written directly');
      return { tenant: world.tenant };
    },
    as: ADMIN,
    call: 'POST /admin/tenants/{tenant}/rescan?dry_run=true',
    status: 200,
    golden: 'rescan',
    after: async ({ as, tenant }) => {
      const drifted = { drift: { bytes: 16, files: 1 } };
      const asked = (query: string) => as(ADMIN).does(`POST /admin/tenants/${tenant}/rescan${query}`);
      expect((await asked('')).body).toMatchObject({ ...drifted, repaired: true });
      expect((await asked('')).body).toMatchObject({ drift: { bytes: 0, files: 0 } });
      expect((await as(ADMIN).does(`POST /admin/tenants/${tenant}-none/rescan`)).status).toBe(404);
      expect((await asked('?dry_run=maybe')).status).toBe(400);
    },
  },
];

playScenarios('administration', import.meta.url, [...TENANTS, ...KEYS, ...RESCAN]);
