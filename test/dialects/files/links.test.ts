import { actor } from '../../support/actor.ts';
import { expectProblem, playScenarios, type Scenario, type World } from '../../support/scenario.ts';
import { until } from '../../support/wait.ts';

interface LinkBody {
  readonly url: string;
  readonly expiresAt: string;
}

const uploaded = async ({ owner }: World) => ({ id: (await owner.uploads('a.txt', '0123456789')).id });

/** The path and query of a signed link to a file just uploaded. */
async function linkOf({ owner, daemon }: World, lifetime = ''): Promise<{ id: string; target: string }> {
  const { id } = await owner.uploads('a.txt', '0123456789');
  const { body } = await owner.does(`GET /v1/files/${id}/url${lifetime}`);
  const { url } = body as LinkBody;
  expect(url.startsWith(`${daemon.url}/signed/files/${id}?token=`)).toBe(true);
  return { id, target: url.slice(daemon.url.length) };
}

const target = async (world: World) => ({ target: (await linkOf(world)).target });
const minutesUntil = (body: unknown) => Math.round((Date.parse((body as LinkBody).expiresAt) - Date.now()) / 60_000);

const URLS: readonly Scenario[] = [
  {
    name: 'files.url answers with a link good for one hour',
    before: uploaded,
    call: 'GET /v1/files/{id}/url',
    status: 200,
    golden: 'url',
    answers: { 'cache-control': expect.stringContaining('no-store') },
    after: async (_world, { body }) => expect(minutesUntil(body)).toBe(60),
  },
  {
    name: 'files.url takes 30s, 15m, 24h, 7d and seconds, and refuses every other lifetime with 400',
    before: uploaded,
    call: 'GET /v1/files/{id}/url?expiresIn=15m',
    status: 200,
    after: async ({ owner }, { body }) => {
      expect(minutesUntil(body)).toBe(15);
      const { id } = await owner.uploads('b.txt', 'x');
      const minutes: Record<string, number> = { '24h': 1440, '7d': 10_080, '120': 2, '604800': 10_080, '60s': 1 };
      for (const [text, expected] of Object.entries(minutes)) {
        expect(minutesUntil((await owner.does(`GET /v1/files/${id}/url?expiresIn=${text}`)).body)).toBe(expected);
      }
      for (const text of ['8d', '604801', '0', '-1', '1w', '1.5h', '', 'm', '1e3', '99999999999999999999']) {
        const answer = await owner.does(`GET /v1/files/${id}/url?expiresIn=${text}`);
        expectProblem(answer, 'invalid_request');
      }
    },
  },
  { name: 'files.url of an unknown id is 404', call: 'GET /v1/files/file_no/url', status: 404, code: 'not_found' },
];

const SIGNED: readonly Scenario[] = [
  {
    name: 'files.signed sends the bytes without any other credential, to GET, HEAD and Range',
    as: 'nobody',
    before: target,
    call: 'GET {target}',
    status: 200,
    text: '0123456789',
    answers: {
      'content-type': expect.stringMatching(/^text\/plain/),
      'cache-control': 'private, no-store',
      'referrer-policy': 'no-referrer',
    },
    after: async (world) => {
      const { target } = await linkOf(world);
      const nobody = world.as('nobody');
      expect(await nobody.does(`HEAD ${target}`)).toMatchObject({ status: 200, text: '' });
      const part = await nobody.does(`GET ${target}`, { headers: { range: 'bytes=3-5' } });
      expect(part).toMatchObject({ status: 206, text: '345' });
    },
  },
  {
    name: 'files.signed gives no bytes after any change to its path or query: 4xx',
    as: 'nobody',
    before: async (world) => ({ target: `${(await linkOf(world)).target}x` }),
    call: 'GET {target}',
    status: 403,
    code: 'forbidden',
    after: async (world) => {
      const { id, target } = await linkOf(world);
      const other = await world.owner.uploads('secret.txt', 'secret');
      const nobody = world.as('nobody');
      const changed = [
        target.replace(id, other.id),
        target.replace(id, id.toUpperCase()),
        target.replace('/signed/', '/Signed/'),
        target.replace('/files/', '/files//'),
        target.replace('?', '/?'),
        target.replace('token=', 'token=a'),
        target.replace('token=', 'Token='),
        target.replace(id, `%${id.charCodeAt(0).toString(16)}${id.slice(1)}`),
        `${target}&x=1`,
        `${target}=`,
        `${target}%20`,
        `/signed/files/${id}`,
        `/signed/files/${id}?token=`,
      ];
      for (const one of changed) {
        const answer = await nobody.does(`GET ${one}`);
        expect({ one, status: answer.status >= 400 && answer.status < 500 }).toEqual({ one, status: true });
        expect(answer.text).not.toMatch(/0123456789|secret$/);
      }
      for (const method of ['PUT', 'POST', 'DELETE', 'PATCH']) {
        expect((await nobody.does(`${method} ${target}`)).status).toBeGreaterThanOrEqual(400);
      }
    },
  },
  {
    name: 'files.signed stops at once when the file is deleted',
    as: 'nobody',
    before: async (world) => {
      const { id, target } = await linkOf(world);
      await world.owner.does(`DELETE /v1/files/${id}`);
      return { target };
    },
    call: 'GET {target}',
    status: 404,
    code: 'not_found',
  },
  {
    name: 'files.signed says expired once the time is over',
    as: 'nobody',
    before: async (world) => {
      const { target } = await linkOf(world, '?expiresIn=1s');
      await until(async () => (await world.as('nobody').does(`GET ${target}`)).status !== 200, 'the link ends');
      return { target };
    },
    call: 'GET {target}',
    status: 403,
    code: 'expired',
  },
  {
    name: 'files.signed is good for one file, and is no credential for anything else',
    before: target,
    as: 'nobody',
    call: 'GET {target}',
    status: 200,
    after: async (world) => {
      const { target } = await linkOf(world);
      const thief = actor(world.daemon.url, target.replace(/^.*token=/, ''));
      expect((await thief.does('GET /v1/files')).status).toBe(401);
    },
  },
];

playScenarios('signed links', import.meta.url, [...URLS, ...SIGNED]);
