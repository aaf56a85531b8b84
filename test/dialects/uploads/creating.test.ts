import { actor } from '../../support/actor.ts';
import { playScenarios, type Scenario, secondsUntil } from '../../support/scenario.ts';
import { beginning, checksumOf, metadataOf, OFFSET_STREAM, TUS } from './tus.ts';

const FILE = { target: 'file', filename: 'a.txt', userId: 'u1' };
const STORE = { target: 'store', path: '/in/a.bin' };
const WORKSPACE = { target: 'workspace', agent: 'a1', path: 'in/a.bin' };
const call = 'POST /v1/uploads';

const CREATE: readonly Scenario[] = [
  {
    name: 'uploads.options says what is spoken, to anyone',
    as: 'nobody',
    call: 'OPTIONS /v1/uploads',
    status: 204,
    answers: {
      'tus-resumable': '1.0.0',
      'tus-version': '1.0.0',
      'tus-extension': 'creation,creation-with-upload,expiration,termination,checksum',
      'tus-checksum-algorithm': 'sha256,sha1,md5',
    },
  },
  {
    name: 'uploads.create reserves the length and says where and how long it goes on',
    call,
    ...beginning(1000, { ...STORE, note: 'their own' }),
    status: 201,
    answers: {
      location: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/v1\/uploads\/upload_[0-9a-f]{32}$/),
      'upload-expires': expect.stringMatching(/GMT$/),
      'tus-resumable': '1.0.0',
    },
    after: async ({ daemon, tenant }) => {
      const operator = actor(daemon.url, daemon.token({ tenant, scope: 'admin' }));
      const { body } = await operator.does(`GET /admin/tenants/${tenant}`);
      expect(body).toMatchObject({ usage: { reserved_bytes: 1000, bytes: 0 } });
    },
  },
  {
    name: 'uploads.create with the whole body finishes at once, in the store',
    given: ['store/in/a.bin: old'],
    call,
    raw: 'new content',
    headers: { ...TUS, ...OFFSET_STREAM, 'upload-length': '11', 'upload-metadata': metadataOf(STORE) },
    status: 201,
    answers: {
      'upload-offset': '11',
      'upload-result': expect.stringMatching(/\/api\/v1\/files\/download\?path=in%2Fa\.bin$/),
    },
    leaves: { store: ['in/', 'in/a.bin: new content'] },
  },
  {
    name: 'uploads.create with a part of the body goes on behind it',
    given: ['a1/'],
    call,
    raw: 'hello',
    headers: {
      ...{ ...TUS, ...OFFSET_STREAM, 'upload-length': '11', 'upload-metadata': metadataOf(WORKSPACE) },
      'upload-checksum': checksumOf('sha1', 'hello'),
    },
    status: 201,
    answers: { 'upload-offset': '5', 'upload-expires': expect.stringMatching(/GMT$/) },
    leaves: { a1: [] },
  },
  {
    name: 'uploads.create of nothing makes an empty file',
    given: ['a1/'],
    call,
    ...beginning(0, WORKSPACE),
    status: 201,
    answers: { 'upload-result': expect.stringMatching(/\/agent\/a1\/filesystem\/files\/in\/a\.bin$/) },
    leaves: { a1: ['in/', 'in/a.bin: '] },
  },
  {
    name: 'uploads.create whose first body is broken leaves no upload that nobody knows',
    call,
    raw: 'hello',
    headers: {
      ...{ ...TUS, ...OFFSET_STREAM, 'upload-length': '5', 'upload-metadata': metadataOf(STORE) },
      'upload-checksum': checksumOf('sha256', 'other'),
    },
    status: 460,
    code: 'checksum_mismatch',
    after: async ({ daemon, tenant }) => {
      const operator = actor(daemon.url, daemon.token({ tenant, scope: 'admin' }));
      const { body } = await operator.does(`GET /admin/tenants/${tenant}`);
      expect(body).toMatchObject({ usage: { reserved_bytes: 0, bytes: 0 } });
    },
  },
  {
    name: 'uploads.create of a file with expiresAfter makes one that is gone so long after it was finished',
    call,
    ...beginning(0, { ...FILE, expiresAfter: '7d' }),
    status: 201,
    after: async ({ owner }, { headers: { 'upload-result': result = '' } }) => {
      const { headers } = await owner.does(`GET ${new URL(result).pathname}`);
      expect(secondsUntil(headers.sunset)).toBeCloseTo(604_800, -1);
    },
  },
  {
    name: 'uploads.create with the same Idempotency-Key begins one upload',
    call,
    headers: { ...(beginning(5, FILE).headers ?? {}), 'idempotency-key': 'k1' },
    status: 201,
    after: async ({ owner }, { headers: { location } }) => {
      const again = (length: number) =>
        owner.does(call, { headers: { ...(beginning(length, FILE).headers ?? {}), 'idempotency-key': 'k1' } });
      expect((await again(5)).headers.location).toBe(location);
      expect((await again(6)).status).toBe(409);
    },
  },
];

const refused = (why: string, more: Omit<Scenario, 'name' | 'call'>): Scenario => ({
  name: `uploads.create refuses ${why}`,
  call,
  ...more,
});

const saying = (words: string) => expect.objectContaining({ detail: expect.stringContaining(words) });

const REFUSED: readonly Scenario[] = [
  refused('a request of no version, naming its own', {
    headers: { 'upload-length': '1' },
    status: 412,
    code: 'precondition_failed',
    answers: { 'tus-version': '1.0.0', 'tus-resumable': '1.0.0' },
  }),
  refused('another version', {
    headers: { ...TUS, 'tus-resumable': '0.2.2' },
    status: 412,
    code: 'precondition_failed',
  }),
  refused('an upload of no length', {
    ...beginning(null, STORE),
    status: 400,
    code: 'invalid_request',
    body: saying('send how many bytes the whole upload has'),
  }),
  refused('a length that is none', {
    ...beginning(null, STORE, { 'upload-length': '1e3' }),
    status: 400,
    code: 'invalid_request',
  }),
  refused('a length that is told later', {
    ...beginning(null, STORE, { 'upload-defer-length': '1' }),
    status: 400,
    code: 'invalid_request',
  }),
  refused('to join uploads', {
    ...beginning(1, STORE, { 'upload-concat': 'partial' }),
    status: 400,
    code: 'invalid_request',
  }),
  refused('an upload without metadata', { ...beginning(1, {}), status: 400, code: 'invalid_request' }),
  refused('metadata that is not base64', {
    ...beginning(1, {}, { 'upload-metadata': 'target !' }),
    status: 400,
    code: 'invalid_request',
    body: saying('pairs of a key and a value in base64'),
  }),
  refused('metadata of more than is kept', {
    ...beginning(1, { ...STORE, more: 'x'.repeat(4000) }),
    status: 400,
    code: 'invalid_request',
  }),
  refused('metadata that reaches for a prototype', {
    ...beginning(
      1,
      { ...STORE, __proto: 'x', ['__proto__']: 'x' },
      {
        'upload-metadata': `${metadataOf(STORE)},__proto__ eA==`,
      },
    ),
    status: 400,
    code: 'invalid_request',
  }),
  refused('a target that is none', { ...beginning(1, { target: 'moon' }), status: 400, code: 'invalid_request' }),
  refused('a store upload without a path', {
    ...beginning(1, { target: 'store' }),
    status: 400,
    code: 'invalid_request',
  }),
  refused('a path that climbs', {
    ...beginning(1, { ...STORE, path: '../x' }),
    status: 400,
    code: 'invalid_path',
  }),
  refused('a path with a backslash', {
    ...beginning(1, { ...STORE, path: 'a\\b' }),
    status: 400,
    code: 'invalid_path',
  }),
  refused('the root', { ...beginning(1, { ...STORE, path: '/' }), status: 400, code: 'is_directory' }),
  refused('a path where a directory stands', {
    given: ['store/in/a.bin/'],
    ...beginning(1, STORE),
    status: 400,
    code: 'is_directory',
  }),
  refused('a path below a file', {
    given: ['store/in: a file'],
    ...beginning(1, STORE),
    status: 400,
    code: 'not_directory',
  }),
  refused('a path through a link', {
    given: ['a1/in => ../../..'],
    ...beginning(1, WORKSPACE),
    status: 403,
    code: 'symlink',
  }),
  refused('a workspace that nobody made', { ...beginning(1, WORKSPACE), status: 404, code: 'not_found' }),
  refused('a workspace upload that names no agent', {
    ...beginning(1, { target: 'workspace', path: 'x' }),
    status: 400,
    code: 'invalid_request',
  }),
  refused('a file of nobody', { ...beginning(1, { target: 'file' }), status: 400, code: 'invalid_request' }),
  refused('a file of an unknown purpose', {
    ...beginning(1, { ...FILE, purpose: 'fun' }),
    status: 400,
    code: 'invalid_request',
  }),
  refused('an output that an agent claims', {
    as: { agent: 'a1' },
    ...beginning(1, { ...FILE, purpose: 'agent_output' }),
    status: 403,
    code: 'forbidden',
  }),
  refused("another user's file", {
    as: { user: 'u2' },
    ...beginning(1, FILE),
    status: 403,
    code: 'forbidden',
  }),
  refused("another agent's workspace", {
    as: { agent: 'a2' },
    ...beginning(1, WORKSPACE),
    status: 403,
    code: 'forbidden',
  }),
  refused('the store to an agent', { as: { agent: 'a1' }, ...beginning(1, STORE), status: 403, code: 'forbidden' }),
  ...(
    [
      ['store:write', STORE],
      ['workspace:write', WORKSPACE],
      ['files:write', FILE],
    ] as const
  ).map(([scope, target]) =>
    refused(`a target without its scope ${scope}`, {
      as: { scope: ['store:write', 'workspace:write', 'files:write'].filter((other) => other !== scope).join(' ') },
      ...beginning(1, target),
      status: 403,
      code: 'forbidden',
    }),
  ),
  refused('a checksum by an algorithm it does not know', {
    raw: 'x',
    headers: {
      ...{ ...TUS, ...OFFSET_STREAM, 'upload-length': '1', 'upload-metadata': metadataOf(STORE) },
      'upload-checksum': 'crc32 AAAAAA==',
    },
    status: 400,
    code: 'invalid_request',
  }),
  ...(
    [
      [5001, STORE],
      [4001, WORKSPACE],
      [3001, FILE],
    ] as const
  ).map(([length, target]) =>
    refused(`${length} bytes, more than a file of the ${target.target} may have`, {
      given: ['a1/'],
      ...beginning(length, target),
      status: 413,
      code: 'too_large',
      body: expect.objectContaining({ limit: length - 1, requested: length }),
    }),
  ),
  refused('more than the quota has, saying how much', {
    before: async ({ daemon, tenant, owner }) => {
      const operator = actor(daemon.url, daemon.token({ tenant: 'ops', scope: 'admin' }));
      await operator.does(`PUT /admin/tenants/${tenant}`, { json: { quota_bytes: 1000 } });
      await owner.stores('held', 'x'.repeat(400));
      expect((await owner.does(call, beginning(500, FILE))).status).toBe(201);
      return undefined;
    },
    ...beginning(101, STORE),
    status: 507,
    code: 'quota_exceeded',
    body: expect.objectContaining({ used: 900, limit: 1000, requested: 101 }),
  }),
];

playScenarios('creating uploads', import.meta.url, CREATE);
playScenarios('creating uploads', import.meta.url, REFUSED, {
  env: { STORE_MAX_FILE_BYTES: '5000', WORKSPACE_MAX_FILE_BYTES: '4000', FILES_MAX_FILE_BYTES: '3000' },
});
