import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { actor } from '../support/actor.ts';
import { inNamespace, itNeeds, lackOf } from '../support/machine.ts';
import { type DaemonProcess, startProcess, token } from '../support/process.ts';

/** A daemon and an agent, each a process under a uid of its own, and what either can do with what the other made. */
const DAEMON = 900;
const AGENT = 1000;
const AGENT_PROGRAM = fileURLToPath(new URL('agent.mjs', import.meta.url));
const IDMAPPED_MOUNT = fileURLToPath(new URL('idmapped-mount.pl', import.meta.url));
const ALL_DONE = {
  ...{ read: 'done', append: 'done', chmod: 'done', utimes: 'done' },
  ...{ rename: 'done', remove: 'done', create: 'done', rmdir: 'done' },
};
const ME = process.getuid?.() ?? 0;

const as = (uid: number, ...more: readonly string[]) => {
  return ['setpriv', '--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups', ...more];
};
const powers = (...names: readonly string[]) => {
  const all = names.map((name) => `+${name}`).join(',');
  return ['--inh-caps', all, '--ambient-caps', all];
};
/** Runs a command where SOURCE is mounted at TARGET, for it alone. */
const inMount = (mount: string) => inNamespace(`${mount} && cd "$2" && shift 2 && exec "$@"`);
const BIND = 'mount --bind -o nodev,nosuid "$1" "$2"';
const MAPPED = `perl ${JSON.stringify(IDMAPPED_MOUNT)} "$1" "$2" ${DAEMON} ${AGENT}`;

let directory: string;
let daemon: DaemonProcess | null = null;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'workspaced-owner-'));
  execFileSync('chmod', ['0755', directory]);
});
afterEach(async () => {
  await daemon?.kill();
  daemon = null;
  rmSync(directory, { recursive: true, force: true });
});

/** What this machine lacks for a mount of this kind with processes under other uids; null: nothing. */
function lackFor(mount: string): string | null {
  const probe = mkdtempSync(join(tmpdir(), 'workspaced-probe-'));
  try {
    // Whose ids a mapped mount does not map, nobody may enter.
    if (ME === 0) chownSync(probe, DAEMON, DAEMON);
    const [command = '', ...args] = inMount(mount);
    // The sources must be readable to others, or no process under another uid can run them.
    const node = [...as(AGENT), process.execPath, '--check', AGENT_PROGRAM];
    return lackOf(command, ...args, probe, probe, ...node);
  } finally {
    rmSync(probe, { recursive: true });
  }
}

interface World {
  readonly daemon: DaemonProcess;
  readonly tree: string;
  readonly mount: { readonly strategy: string; readonly ownership: string; readonly uid: number };
}

/** Starts a daemon that has written a few things into the workspace of an agent. */
async function startAs(uid: number, env: Record<string, string>, under: readonly string[]): Promise<World> {
  const data = join(directory, 'data');
  mkdirSync(data, { mode: 0o755 });
  if (uid !== ME) chownSync(data, uid, uid);
  daemon = await startProcess(data, { DURABILITY: 'none', ...env }, under);
  const ann = actor(daemon.url, token({ tenant: 'acme' }));
  for (const name of ['read', 'append', 'chmod', 'utimes', 'rename', 'remove'])
    await ann.writes('a1', `api/${name}`, 'x');
  for (const name of ['dir', 'empty']) await ann.does(`POST /agent/a1/filesystem/directories/api/${name}`);
  const admin = actor(daemon.url, token({ tenant: 'acme', scope: 'admin' }));
  const mount = (await admin.does('GET /agent/a1/mount')).body as World['mount'];
  const ready = (await admin.does('GET /readyz')).body;
  expect(ready).toMatchObject({ status: 'ready', ownership: mount.ownership });
  return { daemon, mount, tree: join(data, 'tenants/acme/agents/a1/tree') };
}

/** What the agent could do, by name, and under which uid. */
function agentWorks(command: readonly string[], cwd?: string): Readonly<Record<string, unknown>> {
  const [program = '', ...args] = [...command, process.execPath, AGENT_PROGRAM];
  return JSON.parse(execFileSync(program, args, { encoding: 'utf8', ...(cwd === undefined ? {} : { cwd }) }));
}

function mountPoint(): string {
  const path = join(directory, 'workspace');
  mkdirSync(path, { mode: 0o755 });
  return path;
}

/** The statuses of what the daemon does with what the agent made, and put into its private directory. */
async function daemonWorks({ daemon: { url } }: World): Promise<Readonly<Record<string, number>>> {
  const ann = actor(url, token({ tenant: 'acme' }));
  const base = '/agent/a1/filesystem';
  const calls = {
    read: () => ann.does(`GET ${base}/files/own/read`),
    write: () => ann.does(`PUT ${base}/files/own/write`, { json: { content: 'new' } }),
    chmod: () => ann.does(`PATCH ${base}/metadata/own/chmod`, { json: { permissions: '0640' } }),
    utimes: () => ann.does(`PATCH ${base}/metadata/own/utimes`, { json: { modified_at: '2020-01-01T00:00:00Z' } }),
    move: () => ann.does(`POST ${base}/operations/move`, { json: { source: 'own/move', destination: 'own/moved' } }),
    remove: () => ann.does(`DELETE ${base}/files/own/remove`),
    list: () => ann.does(`GET ${base}/directories/own`),
    create: () => ann.does(`POST ${base}/files/own/created`, { json: { content: 'x' } }),
    appended: () => ann.does(`GET ${base}/files/api/append`),
    rmdir: () => ann.does(`DELETE ${base}/directories/own`),
  };
  const statuses: Record<string, number> = {};
  for (const [name, call] of Object.entries(calls)) statuses[name] = (await call()).status;
  return statuses;
}

const ALL_ANSWERED = {
  ...{ read: 200, write: 200, chmod: 200, utimes: 200, move: 200, remove: 200 },
  ...{ list: 200, create: 201, appended: 200, rmdir: 200 },
};

describe('one uid for daemon and agent', () => {
  it('lets each change and remove what the other made, as whoever runs the tests', async () => {
    const world = await startAs(ME, {}, []);
    expect(world.mount).toMatchObject({ strategy: 'same-uid', uid: ME });
    expect(agentWorks([], world.tree)).toEqual({ uid: ME, ...ALL_DONE });
    expect(await daemonWorks(world)).toEqual(ALL_ANSWERED);
  });

  const lack = lackFor(BIND);
  itNeeds(lack, 'lets each do so through a bind mount, as an ordinary user', async () => {
    const world = await startAs(DAEMON, {}, as(DAEMON));
    expect(world.mount).toMatchObject({ strategy: 'same-uid', uid: DAEMON });
    expect(agentWorks([...inMount(BIND), world.tree, mountPoint(), ...as(DAEMON)])).toEqual({
      uid: DAEMON,
      ...ALL_DONE,
    });
    expect(await daemonWorks(world)).toEqual(ALL_ANSWERED);
  });

  itNeeds(lack, 'is what an agent under another uid cannot do without, as the daemon says', async () => {
    const world = await startAs(DAEMON, {}, as(DAEMON));
    expect(world.mount.ownership).toContain('an agent under another uid cannot change them');
    const could = agentWorks([...inMount(BIND), world.tree, mountPoint(), ...as(AGENT)]);
    expect(could).toMatchObject({ uid: AGENT, read: 'done', append: 'EACCES', remove: 'EACCES', create: 'EACCES' });
    expect((await daemonWorks(world)).list).toBe(404);
    // Nor can the daemon give anything to that agent, and a refusal changes nothing.
    const ann = actor(world.daemon.url, token({ tenant: 'acme' }));
    const json = { owner: AGENT, permissions: '0600', tags: ['x'] };
    const refused = await ann.does('PATCH /agent/a1/filesystem/metadata/api/read', { json });
    expect(refused).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    const { body } = await ann.does('GET /agent/a1/filesystem/metadata/api/read');
    expect(body).toMatchObject({ permissions: '0644', tags: [] });
  });
});

describe('a daemon with capabilities', () => {
  const lack = lackFor(BIND);
  const wanted = { WORKSPACE_UID: `${AGENT}`, WORKSPACE_GID: `${AGENT}` };

  itNeeds(lack, 'gives what it makes to the agent and works on what the agent made', async () => {
    const world = await startAs(DAEMON, wanted, as(DAEMON, ...powers('chown', 'dac_override', 'fowner')));
    expect(world.mount).toMatchObject({ strategy: 'capabilities', uid: AGENT });
    expect(agentWorks([...inMount(BIND), world.tree, mountPoint(), ...as(AGENT)])).toEqual({ uid: AGENT, ...ALL_DONE });
    expect(await daemonWorks(world)).toEqual(ALL_ANSWERED);
    const ann = actor(world.daemon.url, token({ tenant: 'acme' }));
    const given = await ann.does('PATCH /agent/a1/filesystem/metadata/api/read', {
      json: { owner: 1234, group: '1235' },
    });
    expect(given.status).toBe(200);
    expect(execFileSync('stat', ['-c', '%u %g', join(world.tree, 'api/read')], { encoding: 'utf8' })).toBe(
      '1234 1235\n',
    );
  });

  itNeeds(lack, 'gives nothing away with only some of them, and says which it lacks', async () => {
    const world = await startAs(DAEMON, wanted, as(DAEMON, ...powers('chown')));
    expect(world.mount).toMatchObject({ strategy: 'idmapped-mount', uid: DAEMON });
    expect(world.mount.ownership).toContain('lacks CAP_DAC_OVERRIDE and CAP_FOWNER');
    const ann = actor(world.daemon.url, token({ tenant: 'acme' }));
    await ann.writes('a1', 'api/dir/still', 'works');
    expect(await ann.reads('a1', 'api/dir/still')).toBe('works');
  });
});

describe('an ID-mapped mount', () => {
  const wanted = { WORKSPACE_UID: `${AGENT}`, WORKSPACE_GID: `${AGENT}` };

  itNeeds(lackFor(MAPPED), 'shows each what the other made as its own', async () => {
    const world = await startAs(DAEMON, wanted, as(DAEMON));
    expect(world.mount).toMatchObject({ strategy: 'idmapped-mount', uid: DAEMON });
    expect(world.mount.ownership).toContain('lacks CAP_CHOWN');
    expect(agentWorks([...inMount(MAPPED), world.tree, mountPoint(), ...as(AGENT)])).toEqual({
      uid: AGENT,
      ...ALL_DONE,
    });
    expect(await daemonWorks(world)).toEqual(ALL_ANSWERED);
  });
});
