import * as fc from 'fast-check';
import { z } from 'zod';
import { ERROR_CODES } from '../../src/errors.ts';
import type { MountedRoute } from '../../src/http/routes.ts';
import { openWeb } from '../../src/web/web.ts';
import type { Answer } from '../support/client.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { bodiesOf } from '../support/json-arbitrary.ts';
import { makeWorld } from '../support/scenario.ts';
import { surface } from '../support/surface.ts';

/** Whatever JSON is sent to whatever call: an answer that its table promises, or a problem, and never the daemon's own fault. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 6);
const SCOPE = 'store:read store:write workspace:read workspace:write files:read files:write runs:read runs:write admin';

/** What texts are about, so that many a body gets past the first look: things that are there, and things that never are. */
const WORDS = [
  ...[
    'a.txt',
    '/dir',
    'dir/b.txt',
    'dir/',
    'new/deep/c.txt',
    'link',
    '',
    '/',
    '..',
    '../a.txt',
    'a\0',
    'x'.repeat(300),
    '*',
  ],
  ...[
    'hello',
    'l',
    '^(a+)+$',
    '[',
    '\\',
    '0644',
    '9999',
    '2020-01-01T00:00:00Z',
    'zip',
    'tar.gz',
    'YS50eHQ=',
    '!',
    '\ud800',
  ],
  ...['http://127.0.0.1/', 'http://files.example/a', 'user_1', 'a1', '1h', '-1'],
];

/** Each call once, at the first of its mounts. */
const ROUTES: ReadonlyMap<string, MountedRoute> = new Map(
  surface()
    .toReversed()
    .map((one) => [one.route.name, one]),
);
const chosen = (choose: (mounted: MountedRoute) => boolean) =>
  [...ROUTES].filter(([, mounted]) => choose(mounted)).reverse();

const TAKING_JSON = chosen(({ route }) => ['POST', 'PUT', 'PATCH'].includes(route.method));
// A stream of events has no end to wait for.
const TAKING_QUERIES = chosen(
  ({ route, dialect }) =>
    ['store', 'filesystem'].includes(dialect.name) && route.query !== undefined && !/events/i.test(route.name),
);

let daemon: TestDaemon;
let send: (call: string, body: string) => Promise<Answer>;
let params: Readonly<Record<string, string>>;

beforeAll(async () => {
  daemon = await startTestDaemon({
    env: { FETCH_ENABLED: 'true', LOG_LEVEL: 'silent', TENANT_QUOTA_FILES: '10000' },
    web: openWeb({ resolve: async () => [] }),
  });
  const { owner, as } = makeWorld(daemon);
  const all = as({ scope: SCOPE });
  await owner.stores('dir/b.txt', 'hello');
  await owner.writes('a1', 'dir/b.txt', 'hello\nhello\n');
  const { id } = await owner.uploads('a.txt', 'hello');
  const run = await owner.startsRun('a1');
  params = { agentId: 'a1', id, runId: run.run_id, tenant: 'another-tenant', path: '/a.txt' };
  send = async (call, body) => {
    // What one body deletes or moves is there again for the next.
    await owner.writes('a1', 'a.txt', 'hello\n');
    return all.does(call, { raw: body, headers: { 'content-type': 'application/json' } });
  };
});
afterAll(() => daemon.close());

function callOf({ route, path }: MountedRoute, query: unknown): string {
  const target = path
    .replace('{/*path}', params.path ?? '')
    .replace(/:(\w+)/g, (_, name: string) => params[name] ?? 'x');
  const given = Object.entries(typeof query === 'object' && query !== null ? query : {});
  const pairs = given.map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(text.toWellFormed())}`;
  });
  return `${route.method} ${target}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`;
}

/** The query without which a call refuses any body. */
function queryOf({ route }: MountedRoute): object {
  return route.query instanceof z.ZodObject && 'path' in route.query.shape ? { path: 'dir/b.txt' } : {};
}

/** What is wrong with an answer, or null. */
function faultOf({ route }: MountedRoute, answer: Answer): string | null {
  if (answer.status < 300) {
    const promised = route.replies[answer.status];
    if (promised === undefined) return `${answer.status} is not promised`;
    const isFile = answer.headers['accept-ranges'] !== undefined;
    const isShaped = isFile || answer.body === undefined || (promised.schema?.safeParse(answer.body).success ?? true);
    return isShaped ? null : `not of the promised shape: ${answer.text}`;
  }
  const { code, status } = (answer.body ?? {}) as { code?: string; status?: number };
  const isKnown = ERROR_CODES.some((known) => known === code && known !== 'internal');
  return isKnown && status === answer.status ? null : `${answer.status} ${answer.text}`;
}

describe('any JSON', () => {
  it.each(TAKING_JSON)('sent to %s is answered as promised, or refused with a code', async (_, mounted) => {
    const near = bodiesOf(mounted.route.body ?? z.object({}), WORDS).map((body) => JSON.stringify(body));
    const bodies = fc.oneof({ weight: 8, arbitrary: near }, fc.json({ maxDepth: 3 }), fc.string({ maxLength: 20 }));
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        const fault = faultOf(mounted, await send(callOf(mounted, queryOf(mounted)), body));
        if (fault !== null) throw new Error(fault);
      }),
      { numRuns: RUNS },
    );
  });

  it('is sent to every call that takes some, and many a body is taken', async () => {
    expect(TAKING_JSON.length).toBeGreaterThan(20);
    const batch = ROUTES.get('filesystem.batch');
    if (batch?.route.body === undefined) throw new Error('a batch has a body');
    const { body } = batch.route;
    const taken = fc.sample(bodiesOf(body, WORDS), 200).filter((sample) => body.safeParse(sample).success);
    expect(taken.length).toBeGreaterThan(60);
  });
});

describe('any query', () => {
  it.each(TAKING_QUERIES)('sent to %s is answered as promised, or refused with a code', async (_, mounted) => {
    const queries = bodiesOf(mounted.route.query ?? z.object({}), WORDS);
    await fc.assert(
      fc.asyncProperty(queries, async (query) => {
        const fault = faultOf(mounted, await send(callOf(mounted, query), ''));
        if (fault !== null) throw new Error(fault);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('a fault', () => {
  it('is an answer of the wrong shape, status or code', () => {
    const mounted = ROUTES.get('filesystem.create');
    if (mounted === undefined) throw new Error('there is a call that creates');
    const fault = (status: number, body: unknown) =>
      faultOf(mounted, { status, body, text: JSON.stringify(body), headers: {}, bytes: Buffer.alloc(0) });
    expect(fault(201, { path: '/a', size: 1, created_at: 'now' })).toBeNull();
    expect(fault(409, { code: 'exists', status: 409 })).toBeNull();
    expect(fault(201, { path: '/a' })).not.toBeNull();
    expect(fault(200, {})).not.toBeNull();
    expect(fault(500, { code: 'internal', status: 500 })).not.toBeNull();
    expect(fault(400, { code: 'strange', status: 400 })).not.toBeNull();
  });
});
