import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ErrorCode } from '../../src/errors.ts';
import { type Actor, actor, type Sent } from './actor.ts';
import type { Answer } from './client.ts';
import { startTestDaemon, type TestDaemon } from './daemon.ts';
import { routeOf } from './surface.ts';

/** One HTTP call against the wire contract, as a record. */
export interface Scenario extends Sent {
  /** Begins with the name of the call it is about: `store.list of a missing directory is empty`. */
  readonly name: string;
  /** What the caller's token says beside the tenant; `nobody` has none. By default everything but admin. */
  readonly as?: Claims | 'nobody';
  /**
   * What there is before, a line each: `store/in/a.csv: 1,2`, `a1/empty/`, and `a1/link => target` put on the disk as an
   * agent would. Agents come into being by being named.
   */
  readonly given?: readonly string[];
  /** What has to happen before that lines cannot say. What it returns replaces `{name}` in `call`. */
  readonly before?: Before;
  /** `GET /api/v1/files?path=in` */
  readonly call: string;
  readonly status: number;
  /** The code of the problem it is refused with. */
  readonly code?: ErrorCode;
  /** What the JSON body must equal; matchers may stand in it. */
  readonly body?: unknown;
  readonly text?: string;
  /** The JSON body must be this golden file, but for times, ids and tags. */
  readonly golden?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Headers the answer must have. */
  readonly answers?: Readonly<Record<string, unknown>>;
  /** What these trees hold afterwards, whole, in the form of `given` without the tree's name. */
  readonly leaves?: Readonly<Record<string, readonly string[]>>;
  readonly after?: (world: World, answer: Answer) => Promise<void>;
}

/** Resolves to the words that `call` is waiting for. */
export type Before = (world: World) => Promise<Readonly<Record<string, string>> | undefined>;

export interface Claims {
  readonly scope?: string;
  readonly agent?: string;
  readonly user?: string;
}

/** A tenant of its own for one scenario. */
export interface World {
  readonly tenant: string;
  readonly daemon: TestDaemon;
  /** Somebody who may do everything but administer. */
  readonly owner: Actor;
  as(claims: Claims | 'nobody'): Actor;
  /** The host's directory of the store's or an agent's tree, as a process beside the daemon sees it. */
  disk(tree: string): string;
}

/** How many seconds from now the date of a header is. */
export const secondsUntil = (header: unknown): number => Math.round((Date.parse(String(header)) - Date.now()) / 1000);

let worlds = 0;

/** A world of its own on a daemon, so that scenarios neither see nor wait for one another. */
export function makeWorld(daemon: TestDaemon): World {
  worlds += 1;
  const tenant = `tenant-${process.pid}-${worlds}`;
  const as = (claims: Claims | 'nobody') =>
    actor(daemon.url, claims === 'nobody' ? null : daemon.token({ tenant, ...claims }));
  const home = (tree: string) => (tree === 'store' ? ['store'] : ['agents', tree]);
  return {
    tenant,
    daemon,
    owner: as({}),
    as,
    disk: (tree) => join(daemon.dataDir, 'tenants', tenant, ...home(tree), 'tree'),
  };
}

/**
 * Plays the records against one real daemon on a real disk.
 * @param here `import.meta.url` of the test file; golden files lie in `golden/` beside it
 */
export function playScenarios(
  title: string,
  here: string,
  scenarios: readonly Scenario[],
  options?: Parameters<typeof startTestDaemon>[0],
): void {
  describe(title, () => {
    let daemon: TestDaemon;
    beforeAll(async () => {
      daemon = await startTestDaemon(options);
    });
    afterAll(() => daemon.close());
    for (const scenario of scenarios) it(scenario.name, () => play(makeWorld(daemon), scenario, here));
  });
}

async function play(world: World, scenario: Scenario, here: string): Promise<void> {
  for (const line of scenario.given ?? []) await bringAbout(world, line);
  const words = (await scenario.before?.(world)) ?? {};
  const call = scenario.call.replace(/\{(\w+)\}/g, (_, word: string) => words[word] ?? `{${word}}`);
  const answer = await world.as(scenario.as ?? {}).does(call, scenario);
  const told = { status: answer.status, ...(answer.status === scenario.status ? {} : { body: answer.text }) };
  expect(told).toEqual({ status: scenario.status });
  expectDocumented(call, answer);
  if (scenario.code !== undefined) expectProblem(answer, scenario.code);
  if (scenario.body !== undefined) expect(answer.body).toEqual(scenario.body);
  if (scenario.text !== undefined) expect(answer.text).toBe(scenario.text);
  if (scenario.answers !== undefined) expect(answer.headers).toMatchObject(scenario.answers);
  if (scenario.golden !== undefined) await expectGolden(world, answer.body, scenario.golden, here);
  for (const [tree, lines] of Object.entries(scenario.leaves ?? {})) {
    expect(await linesOf(world.disk(tree))).toEqual([...lines].sort());
  }
  await scenario.after?.(world, answer);
}

/** A success is one of those that the route's table promises, and its JSON has the promised shape. */
function expectDocumented(call: string, answer: Answer): void {
  const route = routeOf(call)?.route;
  if (route === undefined || answer.status < 200 || answer.status >= 300 || answer.status === 206) return;
  const promised = route.replies[answer.status];
  expect({ route: route.name, promises: Object.keys(route.replies).map(Number) }).toEqual({
    route: route.name,
    promises: expect.arrayContaining([answer.status]),
  });
  const isFile = answer.headers['accept-ranges'] !== undefined;
  if (answer.body !== undefined && !isFile) promised?.schema?.parse(answer.body);
}

/** RFC 9457, with the sentence twice and nothing of the host in it. */
export function expectProblem(answer: Answer, code: ErrorCode): void {
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  const problem = answer.body as Record<string, unknown>;
  expect(problem).toMatchObject({ code, status: answer.status, type: expect.any(String), title: expect.any(String) });
  expect(problem.error).toBe(problem.detail);
  expect(problem.detail).toMatch(/\S/);
  expect(answer.text).not.toMatch(/\/tenants\/|\/tmp\/|node_modules|\bat \S+:\d+/);
}

/** Makes one line of `given` true. */
export async function bringAbout(world: World, line: string): Promise<void> {
  const [, tree = '', path = '', mark = '', content = ''] = /^([^/]+)\/(.*?)(\/?$|: | => )(.*)$/s.exec(line) ?? [];
  const isStore = tree === 'store';
  if (!isStore) await world.owner.does(`POST /agent`, { json: { agent_id: tree } });
  if (mark === ': ') await (isStore ? world.owner.stores(path, content) : world.owner.writes(tree, path, content));
  else if (mark === ' => ') await link(world, tree, path, content);
  else if (line.endsWith('/')) await makeDirectory(world, tree, path);
  else throw new Error(`"${line}" says neither content, nor a directory, nor a link`);
}

async function makeDirectory(world: World, tree: string, path: string): Promise<void> {
  if (tree === 'store') await world.owner.does('POST /api/v1/files/mkdir', { json: { path: `/${path}` } });
  else await world.owner.does(`POST /agent/${tree}/filesystem/directories/${encodeURI(path)}`);
}

async function link(world: World, tree: string, path: string, target: string): Promise<void> {
  await makeDirectory(world, tree, dirname(path) === '.' ? '' : dirname(path));
  await mkdir(join(world.disk(tree), dirname(path)), { recursive: true });
  await symlink(target, join(world.disk(tree), path));
}

/** Everything below a directory as lines, sorted: `dir/`, `file: content`, `link => target`. */
export async function linesOf(root: string): Promise<string[]> {
  const paths = await readdir(root, { recursive: true }).catch(() => []);
  return (await Promise.all(paths.map((path) => lineOf(root, path)))).sort();
}

async function lineOf(root: string, path: string): Promise<string> {
  const at = join(root, path);
  const info = await lstat(at).catch(() => null);
  if (info === null) return `${path} (a name that is not UTF-8)`;
  if (info.isDirectory()) return `${path}/`;
  return info.isSymbolicLink() ? `${path} => ${await readlink(at)}` : `${path}: ${await readFile(at, 'utf8')}`;
}

/** With UPDATE_GOLDEN=1 in the environment the file is written instead; the difference is then for a person to read. */
export async function expectGolden(world: World, body: unknown, name: string, here: string): Promise<void> {
  const file = fileURLToPath(new URL(`golden/${name}.json`, here));
  const steady = `${JSON.stringify(steadied(world, body), null, 2)}\n`;
  if (process.env.UPDATE_GOLDEN === '1') await writeFile(file, steady);
  expect(steady).toBe(await readFile(file, 'utf8'));
}

function steadiedField(world: World, name: string, value: unknown): unknown {
  return typeof value === 'number' && name.endsWith('expires_at') ? '<seconds>' : steadied(world, value);
}

/** The same value with what differs from run to run replaced by what it is. */
function steadied(world: World, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => steadied(world, item));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, steadiedField(world, key, item)]));
  }
  if (typeof value !== 'string') return value;
  return value
    .replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, '<time>')
    .replace(/^\d{4}-\d\d-\d\d$/, '<day>')
    .replace(/^"[0-9a-f.:-]{16,}"$/, '<etag>')
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b/g, '<uuid>')
    .replace(/\b(file|run|agent|key|wsk|evt|upload)_[A-Za-z0-9_-]{16,}/g, '<$1 id>')
    .replace(/token=[\w.-]+/, 'token=<token>')
    .replaceAll(world.daemon.url, '<url>')
    .replaceAll(world.daemon.dataDir, '<data>')
    .replaceAll(world.tenant, '<tenant>');
}
