import { linesOf, playScenarios, type Scenario } from '../../support/scenario.ts';

const CREATE: readonly Scenario[] = [
  {
    name: 'agents.create makes an agent with its workspace, and copies files in',
    given: ['store/datasets/a.csv: 1,2', 'store/readme.md: hi'],
    call: 'POST /agent',
    json: {
      agent_id: 'a1',
      user_id: 'u1',
      quota_bytes: 1000,
      expires_after: '7d',
      files: ['datasets', { path: 'readme.md', to: 'docs/', mode: 'ro' }],
    },
    status: 201,
    golden: 'created',
    leaves: { a1: ['datasets/', 'datasets/a.csv: 1,2', 'docs/', 'docs/readme.md: hi'] },
    after: async ({ owner }) => {
      const { body } = await owner.does('GET /agent/a1/filesystem/metadata/docs/readme.md');
      expect(body).toMatchObject({ permissions: '0444' });
    },
  },
  {
    name: 'agents.create makes an id up, and works under /v1',
    call: 'POST /v1/agent',
    json: {},
    status: 201,
    body: expect.objectContaining({
      agent_id: expect.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/),
      user_id: null,
      shared: false,
      lifecycle: 'persistent',
      usage: { bytes: 0, files: 0, reserved_bytes: 0 },
      seeded: [],
    }),
  },
  {
    name: 'agents.create of an id that is taken is 409',
    given: ['a1/x.txt: x'],
    call: 'POST /agent',
    json: { agent_id: 'a1' },
    status: 409,
    code: 'exists',
    leaves: { a1: ['x.txt: x'] },
  },
  {
    name: 'agents.create with a missing file is 404 naming it, and makes no agent',
    given: ['store/a.txt: x'],
    call: 'POST /agent',
    json: { agent_id: 'a1', files: ['a.txt', 'no/such.txt'] },
    status: 404,
    code: 'not_found',
    body: expect.objectContaining({ detail: expect.stringContaining('no/such.txt') }),
    after: async ({ owner }) => {
      expect((await owner.does('GET /agent/a1')).status).toBe(404);
      const unknown = { json: { agent_id: 'a1', files: [{ file_id: 'file_unknown' }] } };
      expect((await owner.does('POST /agent', unknown)).status).toBe(404);
      expect((await owner.does('POST /agent', { json: { agent_id: 'a1', files: ['a.txt'] } })).status).toBe(201);
    },
  },
  {
    name: 'agents.create with files beyond its quota is 507, and makes no agent',
    given: ['store/a.txt: 0123456789'],
    call: 'POST /agent',
    json: { agent_id: 'a1', quota_bytes: 9, files: ['a.txt'] },
    status: 507,
    code: 'quota_exceeded',
    after: async ({ owner }) => expect((await owner.does('GET /agent/a1')).status).toBe(404),
  },
  {
    name: 'agents.create with two files for one destination is 409',
    given: ['store/a.txt: 1', 'store/b.txt: 2'],
    call: 'POST /agent',
    json: {
      agent_id: 'a1',
      files: [
        { path: 'a.txt', to: 'x.txt' },
        { path: 'b.txt', to: 'x.txt' },
      ],
    },
    status: 409,
    code: 'conflict',
  },
  {
    name: 'agents.create refuses fields that are none with 400',
    call: 'POST /agent',
    json: { agent_id: '../x' },
    status: 400,
    code: 'invalid_request',
    after: async ({ owner, as }) => {
      const refused = [
        { lifecycle: 'eternal' },
        { quota_bytes: -1 },
        { expires_after: '7 weeks' },
        { expires_after: 0 },
        { shared: 'yes' },
        { files: 'a.txt' },
        { files: [{}] },
        { files: [{ path: 'a', file_id: 'b' }] },
        { files: [{ path: 'a', mode: 'rwx' }] },
        { files: ['../a'] },
      ];
      for (const json of refused) expect((await owner.does('POST /agent', { json })).status).toBe(400);
      const other = await as({ user: 'u1' }).does('POST /agent', { json: { user_id: 'u2' } });
      expect(other).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    },
  },
];

const READ: readonly Scenario[] = [
  {
    name: 'agents.get shows the agent with what its workspace holds',
    given: ['a1/dir/x.txt: 0123456789'],
    call: 'GET /agent/a1',
    status: 200,
    golden: 'got',
  },
  {
    name: 'agents.get of what never was is 404, of what is no id 400',
    call: 'GET /agent/never-was',
    status: 404,
    code: 'not_found',
    after: async ({ owner }) => expect((await owner.does('GET /agent/-x')).status).toBe(400),
  },
  {
    name: 'agents.list pages through the agents',
    given: ['a1/x.txt: x', 'a2/', 'a3/'],
    call: 'GET /agent?limit=2',
    status: 200,
    after: async ({ owner, as }, { body }) => {
      const first = body as { agents: { agent_id: string }[]; next_cursor: string };
      const rest = (await owner.does(`GET /v1/agent?limit=2&cursor=${first.next_cursor}`)).body as typeof first;
      const ids = [...first.agents, ...rest.agents].map((agent) => agent.agent_id);
      expect(ids.sort()).toEqual(['a1', 'a2', 'a3']);
      expect(rest).not.toHaveProperty('next_cursor');
      expect((await owner.does('GET /agent?cursor=x')).status).toBe(400);
      const bound = await as({ agent: 'a2', scope: 'runs:read' }).does('GET /agent');
      expect(bound.body).toEqual({ agents: [expect.objectContaining({ agent_id: 'a2' })] });
      expect((await as({ agent: 'a2', scope: 'runs:read' }).does('GET /agent/a1')).status).toBe(403);
    },
  },
];

const REMOVE: readonly Scenario[] = [
  {
    name: 'agents.delete takes the agent and its tree: 204, and then 404',
    given: ['a1/x.txt: x'],
    call: 'DELETE /agent/a1',
    status: 204,
    after: async ({ owner, disk }) => {
      expect(await linesOf(disk('a1'))).toEqual([]);
      expect((await owner.does('DELETE /agent/a1')).status).toBe(404);
      expect((await owner.does('GET /agent/a1/filesystem/files/x.txt')).status).toBe(404);
      await owner.makesAgent('a1');
      expect((await owner.does('GET /agent/a1/filesystem/directories')).body).toEqual({ path: '/', entries: [] });
    },
  },
  {
    name: 'agents.delete while a run is live is 409, unless force=true',
    given: ['a1/x.txt: x'],
    before: async ({ owner }) => {
      await owner.startsRun('a1');
      return undefined;
    },
    call: 'DELETE /agent/a1',
    status: 409,
    code: 'run_live',
    leaves: { a1: ['x.txt: x'] },
    after: async ({ owner }) => {
      expect((await owner.does('DELETE /agent/a1?force=true')).status).toBe(204);
      expect((await owner.does('GET /agent/a1')).status).toBe(404);
    },
  },
];

const MOUNT: readonly Scenario[] = [
  {
    name: 'agents.mount tells an admin where the workspace lies',
    given: ['a1/x.txt: x'],
    as: { scope: 'admin' },
    call: 'GET /agent/a1/mount',
    status: 200,
    body: {
      host_path: expect.stringMatching(/\/agents\/a1\/tree$/),
      uid: process.getuid?.(),
      gid: process.getgid?.(),
      mode: '0755',
      strategy: 'same-uid',
      ownership: expect.stringContaining('an agent'),
      snippets: { docker: expect.any(String), podman: expect.any(String), kubernetes: expect.any(String) },
    },
    after: async ({ disk }, { body }) => {
      expect(await linesOf((body as { host_path: string }).host_path)).toEqual(await linesOf(disk('a1')));
    },
  },
  {
    name: 'agents.mount without the admin scope is 403, of what never was 404',
    given: ['a1/x.txt: x'],
    call: 'GET /agent/a1/mount',
    status: 403,
    code: 'forbidden',
    after: async ({ as }) => {
      expect((await as({ scope: 'admin' }).does('GET /agent/never-was/mount')).status).toBe(404);
    },
  },
];

playScenarios('agents', import.meta.url, [...CREATE, ...READ, ...REMOVE, ...MOUNT]);
