import { EVENT_TYPES } from '../../../src/core/webhooks/webhook-types.ts';
import { openWeb } from '../../../src/web/web.ts';
import { expectProblem, playScenarios, type Scenario, type World } from '../../support/scenario.ts';
import { until } from '../../support/wait.ts';

const CALL = '/v1/webhooks';
const ADMIN = { scope: 'admin' };
const secret = 'never-to-be-seen-again-ever';
const wanted = { url: 'https://hooks.example/workspaced?key=1', events: ['file.created', 'quota.warning'], secret };

const made = async (world: World) => {
  await world.as(ADMIN).does(`PUT ${CALL}`, { json: wanted });
  return { tenant: world.tenant };
};

const asOperator = ({ daemon }: World) => ({
  headers: { authorization: `Bearer ${daemon.token({ tenant: 'operator', ...ADMIN })}` },
});

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'webhooks.put makes the webhook of the tenant, and shows no secret',
    as: ADMIN,
    call: `PUT ${CALL}`,
    json: wanted,
    status: 201,
    golden: 'made',
    after: async ({ as }, { text }) => {
      expect(text).not.toContain(secret);
      const got = await as(ADMIN).does(`GET ${CALL}`);
      expect(got.text).toBe(text);
    },
  },
  {
    name: 'webhooks.put changes the one there is, and names each event once',
    as: ADMIN,
    before: made,
    call: `PUT ${CALL}`,
    json: { ...wanted, url: 'https://hooks.example/new', events: ['run.finished', 'run.started', 'run.finished'] },
    status: 200,
    body: expect.objectContaining({ url: 'https://hooks.example/new', events: ['run.started', 'run.finished'] }),
  },
  {
    name: 'webhooks.put refuses what is no https URL, no event and no secret with 400, and changes nothing',
    as: ADMIN,
    before: made,
    call: `PUT ${CALL}`,
    json: { ...wanted, url: 'http://hooks.example/' },
    status: 400,
    code: 'invalid_request',
    after: async ({ as }) => {
      const bad: readonly (readonly [object, RegExp])[] = [
        [{ url: 'hooks.example' }, /https:\/\//],
        [{ url: 'ftp://hooks.example/' }, /https:\/\//],
        [{ url: 'https://me:pw@hooks.example/' }, /user name or password/],
        [{ url: 'https://hooks.example:25/' }, /port 25/],
        [{ url: `https://hooks.example/${'x'.repeat(9000)}` }, /https:\/\//],
        [{ url: 7 }, /"url"/],
        [{ events: [] }, /"events"/],
        [{ events: ['file.created', 'file.eaten'] }, /one of file\.created, run\.started/],
        [{ events: 'file.created' }, /"events"/],
        [{ secret: 'fifteen-letters' }, /"secret".*16 to 256/],
        [{ secret: 'x'.repeat(257) }, /"secret".*16 to 256/],
        [{ secret: 'with a space in between' }, /"secret".*without spaces/],
        [{ secret: undefined }, /"secret" is missing/],
      ];
      for (const [change, words] of bad) {
        const answer = await as(ADMIN).does(`PUT ${CALL}`, { json: { ...wanted, ...change } });
        expectProblem(answer, 'invalid_request');
        expect((answer.body as { detail: string }).detail).toMatch(words);
        expect(answer.text).not.toContain(secret);
      }
      expect((await as(ADMIN).does(`GET ${CALL}`)).body).toMatchObject({ url: wanted.url });
    },
  },
  {
    name: 'webhooks.put refuses a URL that leads inside with 403',
    as: ADMIN,
    call: `PUT ${CALL}`,
    json: { ...wanted, url: 'https://169.254.169.254/latest/meta-data/' },
    status: 403,
    code: 'forbidden',
    after: async ({ as }) => {
      for (const host of ['localhost', '127.1', '10.0.0.1', '192.168.1.1', '[::1]', '[fd00::1]', '[::ffff:10.0.0.1]']) {
        const answer = await as(ADMIN).does(`PUT ${CALL}`, { json: { ...wanted, url: `https://${host}/` } });
        expectProblem(answer, 'forbidden');
      }
      expect((await as(ADMIN).does(`GET ${CALL}`)).status).toBe(404);
    },
  },
  {
    name: 'webhooks.put, webhooks.get and webhooks.delete are for admin, and each tenant has its own',
    before: made,
    call: `GET ${CALL}`,
    status: 403,
    code: 'forbidden',
    after: async (world) => {
      const { as, owner } = world;
      expectProblem(await owner.does(`PUT ${CALL}`, { json: wanted }), 'forbidden');
      expectProblem(await owner.does(`DELETE ${CALL}`), 'forbidden');
      expect((await as({ agent: 'a1', ...ADMIN }).does(`GET ${CALL}`)).status).toBe(403);
      expect((await as('nobody').does(`GET ${CALL}`)).status).toBe(401);
      expect((await as('nobody').does(`GET ${CALL}`, asOperator(world))).status).toBe(404);
      expect((await as('nobody').does(`DELETE ${CALL}`, asOperator(world))).status).toBe(404);
      expect((await as(ADMIN).does(`GET ${CALL}`)).status).toBe(200);
    },
  },
  {
    name: 'webhooks.get says how it is doing; without one it is 404',
    as: ADMIN,
    before: async (world) => {
      await made(world);
      await world.owner.uploads('report.pdf', 'x', { purpose: 'knowledge' });
      return {};
    },
    call: `GET ${CALL}`,
    status: 200,
    body: expect.objectContaining({ pending: 1, lost: 0, last_success_at: null }),
    after: async (world) => {
      expectProblem(await world.as('nobody').does(`GET ${CALL}`, asOperator(world)), 'not_found');
    },
  },
  {
    name: 'webhooks.delete takes it away with all that waits; the second time it is 404',
    as: ADMIN,
    before: made,
    call: `DELETE ${CALL}`,
    status: 204,
    after: async ({ as }) => {
      expectProblem(await as(ADMIN).does(`DELETE ${CALL}`), 'not_found');
      expectProblem(await as(ADMIN).does(`GET ${CALL}`), 'not_found');
      expect((await as(ADMIN).does(`PUT ${CALL}`, { json: { ...wanted, events: EVENT_TYPES } })).status).toBe(201);
    },
  },
  {
    name: 'webhooks go with their tenant',
    as: ADMIN,
    before: made,
    call: 'DELETE /admin/tenants/{tenant}',
    status: 204,
    after: async (world) => {
      const again = { ...asOperator(world), json: {} };
      expect((await world.as('nobody').does(`PUT /admin/tenants/${world.tenant}`, again)).status).toBe(201);
      await until(async () => (await world.as(ADMIN).does(`GET ${CALL}`)).status === 404, 'the tenant is admitted');
    },
  },
];

playScenarios('webhooks', import.meta.url, SCENARIOS, { web: openWeb({ resolve: async () => [] }) });
