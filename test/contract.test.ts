import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { canMeet, elementsOf, surface } from './support/surface.ts';

const HERE = fileURLToPath(new URL('./dialects/', import.meta.url));

/** The first word of every test title below test/dialects: what the test says it is about. */
async function namedCalls(): Promise<ReadonlySet<string>> {
  const files = (await readdir(HERE, { recursive: true })).filter((name) => name.endsWith('.test.ts'));
  const texts = await Promise.all(files.map((name) => readFile(`${HERE}${name}`, 'utf8')));
  const titles = texts.flatMap((text) => [...text.matchAll(/(?:name: |it\(\s*)['"`]([a-z]+\.[\w${}]+) /g)]);
  return new Set(titles.flatMap(([, title = '']) => spelledOut(title)));
}

/** A title made by a function stands for every verb it is made with. */
function spelledOut(title: string): readonly string[] {
  const hole = /\$\{verb\}/;
  return hole.test(title) ? ['copy', 'move'].map((verb) => title.replace(hole, verb)) : [title];
}

/** The calls of the contract that this program speaks so far; a new row of a page gets a line here first. */
const CALLS = `
  store.list store.download store.upload store.delete store.move store.copy store.mkdir store.metadata store.setMetadata store.search
  filesystem.patch filesystem.edit
  filesystem.archive filesystem.extract store.archive store.extract
  store.events filesystem.events filesystem.changes
  filesystem.read filesystem.create filesystem.update filesystem.delete filesystem.list filesystem.mkdir
  filesystem.removeDirectory filesystem.copy filesystem.move filesystem.batch filesystem.fetch filesystem.metadata filesystem.setMetadata
  filesystem.search
  slots.create slots.put slots.download slots.list slots.update slots.delete
  uploads.options uploads.create uploads.head uploads.get uploads.patch uploads.terminate
  files.create files.list files.get files.content files.url files.delete files.signed
  media.upload media.get media.info media.url media.config
  agents.create agents.list agents.get agents.delete agents.mount
  runs.start runs.list runs.get runs.heartbeat runs.finish
  admin.listTenants admin.getTenant admin.putTenant admin.deleteTenant admin.createKey admin.listKeys admin.revokeKey
  admin.rescan
  usage.get usage.daily
  webhooks.put webhooks.get webhooks.delete
`
  .trim()
  .split(/\s+/);

/** Questions and reminders: to do one again does no harm. Every other POST has `creates: true`. */
const POSTS_THAT_MAKE_NOTHING = ['admin.rescan', 'filesystem.search', 'runs.heartbeat', 'store.search'];

describe('the wire contract', () => {
  const routes = surface();

  it('has one route for each of its calls, and no route beyond them', () => {
    expect([...new Set(routes.map(({ route }) => route.name))].sort()).toEqual([...CALLS].sort());
  });

  it('has a test that names each call, and none that names a call there is not', async () => {
    const named = await namedCalls();
    expect(CALLS.filter((call) => !named.has(call))).toEqual([]);
    expect([...named].filter((call) => !CALLS.includes(call))).toEqual([]);
  });

  it('has no two routes that can take one request', () => {
    const taken = routes.map(({ route, path }) => ({ ...route, path, elements: elementsOf(path) }));
    const collisions = taken.flatMap((one, n) =>
      taken
        .slice(n + 1)
        .filter((other) => one.method === other.method && canMeet(one.elements, other.elements))
        .filter((other) => one.precedes !== other.name)
        .map((other) => `${one.method} ${one.path} and ${other.path}`),
    );
    expect(collisions).toEqual([]);
  });

  it('says of every route that it precedes another what is so', () => {
    for (const [n, { route, path }] of routes.entries()) {
      if (route.precedes === undefined) continue;
      const later = routes.slice(n + 1).filter((other) => other.route.name === route.precedes);
      expect([route.name, later.some((other) => canMeet(elementsOf(path), elementsOf(other.path)))]).toEqual([
        route.name,
        true,
      ]);
    }
  });

  it('tells collisions when it sees them', () => {
    const meet = (one: string, other: string) => canMeet(elementsOf(one), elementsOf(other));
    expect(meet('/a/:id', '/a/b')).toBe(true);
    expect(meet('/a/:id/files{/*path}', '/a/b/files')).toBe(true);
    expect(meet('/a{/*path}', '/a/b/:c')).toBe(true);
    expect(meet('/a/:id', '/a/b/c')).toBe(false);
    expect(meet('/a/:id', '/b/:id')).toBe(false);
    expect(meet('/a', '/a/:id')).toBe(false);
  });

  it('has words for every route: a summary, its replies, a name that is an operation id', () => {
    for (const { route } of routes) {
      expect(route.name).toMatch(/^[a-z]+\.[a-z][A-Za-z]+$/);
      expect(route.summary).toMatch(/^[A-Z].{10,}[^,;]$/);
      expect(Object.keys(route.replies).length).toBeGreaterThan(0);
      expect(Object.keys(route.replies).some((status) => Number(status) < 300)).toBe(true);
    }
  });

  it('takes an Idempotency-Key on every POST that makes something', () => {
    const others = routes.filter(({ route }) => route.method === 'POST' && route.creates !== true);
    expect([...new Set(others.map(({ route }) => route.name))].sort()).toEqual(POSTS_THAT_MAKE_NOTHING);
    const marked = routes.filter(({ route }) => route.creates === true);
    expect(marked.filter(({ route }) => route.method !== 'POST')).toEqual([]);
  });

  it('asks for a scope on every route but signed links and uploads, whose target decides', () => {
    const open = routes.filter(({ route }) => !route.access.includes(':') && route.access !== 'admin');
    const uploads = ['options', 'create', 'head', 'get', 'patch', 'terminate'].map((verb) => `uploads.${verb}`);
    expect(open.map(({ route }) => route.name)).toEqual(['files.signed', 'slots.put', ...uploads]);
  });
});
