import { expectProblem, makeWorld, playScenarios, type Scenario, type World } from '../../support/scenario.ts';
import { bytesOf, filled, put, type Row, reserve, rowOf, targetOf, usageOf } from './reserved.ts';

const CREATE: readonly Scenario[] = [
  {
    name: 'slots.create answers with where to PUT and which headers to send, and reserves the room',
    call: 'POST /storage/upload',
    json: { content_type: 'video/mp4', file_name: 'clip.mp4', visibility: 'public', expected_file_size: '1048576' },
    status: 200,
    golden: 'created',
    answers: { 'cache-control': 'private, no-store' },
    after: async (world, { body }) => {
      const { expires_at: expiresAt } = body as { expires_at: string };
      expect(Math.round((Date.parse(expiresAt) - Date.now()) / 60_000)).toBe(15);
      expect(await usageOf(world)).toMatchObject({ bytes: 0, files: 0, reserved_bytes: 1_048_576 });
    },
  },
  {
    name: 'slots.create takes camelCase, file_size, numbers and nulls as well',
    call: 'POST /storage/upload',
    json: { contentType: 'text/csv; charset="utf-8"', fileName: null, fileSize: 12, expectedFileSize: null },
    status: 200,
    after: async (world, { body }) => {
      const slot = body as { file_id: string; required_headers: object };
      expect(slot.required_headers).toMatchObject({ 'content-type': 'text/csv; charset="utf-8"' });
      expect(await rowOf(world, slot)).toMatchObject({ file_name: null, expected_file_size: '12', file_size: '12' });
    },
  },
  {
    name: 'slots.create refuses a malformed content type and other fields that are none with 400',
    call: 'POST /storage/upload',
    json: {},
    status: 400,
    code: 'invalid_request',
    after: async (world) => {
      const typed = { content_type: 'text/plain' };
      const bad = [
        ...['', 'text', 'text/', '/plain', 'text/plain;', 'te xt/plain', 'text/plain\r\nX-Evil: 1', 'tëxt/plain'].map(
          (content_type) => ({ content_type }),
        ),
        { content_type: `text/${'x'.repeat(255)}` },
        { content_type: 7 },
        ...['a/b', 'a\\b', '..', '', 'a\nb', 'x'.repeat(256)].map((file_name) => ({ ...typed, file_name })),
        { ...typed, visibility: 'secret' },
        ...['-1', '1.5', 'x', '', -1, 1.5].map((expected_file_size) => ({ ...typed, expected_file_size })),
        { ...typed, expected_file_size: '1', file_size: '2' },
        ...[0, -1, 1.5, '', 'soon', '1w', 1e12].map((expires_after) => ({ ...typed, expires_after })),
      ];
      for (const json of bad) {
        const answer = await world.owner.does('POST /storage/upload', { json });
        expect({ json, status: answer.status }).toEqual({ json, status: 400 });
        expectProblem(answer, 'invalid_request');
      }
      expect((await world.owner.does('GET /storage/files')).body).toMatchObject({ files: [] });
    },
  },
  {
    name: 'slots.create refuses what is expected to be larger than allowed with 413, also far beyond 64 bits',
    call: 'POST /storage/upload',
    json: { content_type: 'text/plain', expected_file_size: '5368709121' },
    status: 413,
    code: 'too_large',
    after: async ({ owner }) => {
      const json = { content_type: 'text/plain', expected_file_size: '9'.repeat(19) };
      expectProblem(await owner.does('POST /storage/upload', { json }), 'too_large');
    },
  },
  {
    name: 'slots.create refuses what there is no room for with 507, and leaves no slot',
    before: async ({ as, tenant }) => {
      await as({ scope: 'admin' }).does(`PUT /admin/tenants/${tenant}`, { json: { quota_bytes: 1000 } });
      return undefined;
    },
    call: 'POST /storage/upload',
    json: { content_type: 'text/plain', expected_file_size: '1001' },
    status: 507,
    code: 'quota_exceeded',
    after: async (world) => {
      expect((await world.owner.does('GET /storage/files')).body).toMatchObject({ files: [] });
      // Two slots together may not pass it either.
      await reserve(world, { expected_file_size: '600' });
      const json = { content_type: 'text/plain', expected_file_size: '600' };
      expectProblem(await world.owner.does('POST /storage/upload', { json }), 'quota_exceeded');
    },
  },
];

const DOWNLOAD: readonly Scenario[] = [
  {
    name: 'slots.download answers with a URL that serves the bytes under their declared type, and counts it',
    before: async (world) => ({
      id: (await filled(world, 'PK-not', { content_type: 'x/y', file_name: 'a b.bin' })).file_id,
    }),
    call: 'GET /storage/download/{id}',
    status: 200,
    golden: 'download',
    answers: { 'cache-control': 'private, no-store' },
    after: async (world, { body }) => {
      const { download_url: url } = body as { download_url: string };
      const got = await world.as('nobody').does(`GET ${targetOf(url)}`);
      expect(got).toMatchObject({ status: 200, text: 'PK-not' });
      expect(got.headers).toMatchObject({ 'content-disposition': expect.stringContaining('a b.bin') });
      const [row] = ((await world.owner.does('GET /storage/files')).body as { files: Row[] }).files;
      expect(row).toMatchObject({ download_request_count: 1, content_type: 'x/y' });
    },
  },
  {
    name: 'slots.download is 404 for an unknown, deleted or impossible id, and 409 while the upload is pending',
    call: 'GET /storage/download/0d9f3c1e-6a52-4a57-9c65-2f3f1c5b7a10',
    status: 404,
    code: 'not_found',
    after: async (world) => {
      const { owner } = world;
      expectProblem(await owner.does('GET /storage/download/%2e%2e%2fetc'), 'not_found');
      const slot = await reserve(world);
      expectProblem(await owner.does(`GET /storage/download/${slot.file_id}`), 'pending_upload');
      await owner.does(`DELETE /storage/${slot.file_id}`);
      expectProblem(await owner.does(`GET /storage/download/${slot.file_id}`), 'not_found');
    },
  },
  {
    name: 'slots.download of another tenant’s private file is 403, of its public one a URL',
    before: async (world) => {
      const stranger = makeWorld(world.daemon);
      return { id: (await filled(stranger)).file_id };
    },
    call: 'GET /storage/download/{id}',
    status: 403,
    code: 'forbidden',
    after: async (world) => {
      const { as, daemon } = world;
      const stranger = makeWorld(daemon);
      const shared = await filled(stranger, 'for all', { visibility: 'public' });
      expect(await bytesOf(world, shared.file_id)).toBe('for all');
      expect(await rowOf(stranger, shared)).toMatchObject({ download_request_count: 1 });
      expect((await as('nobody').does(`GET /storage/download/${shared.file_id}`)).status).toBe(401);
      // Public is for reading: nothing else of it is anyone's, and a pending one says so.
      const pending = await reserve(stranger, { visibility: 'public' });
      expectProblem(await world.owner.does(`GET /storage/download/${pending.file_id}`), 'pending_upload');
      const hidden = await reserve(stranger);
      expectProblem(await world.owner.does(`GET /storage/download/${hidden.file_id}`), 'forbidden');
      expect((await world.owner.does('GET /storage/files')).body).toMatchObject({ files: [] });
    },
  },
  {
    name: 'slots.download shows a credential bound to a user that user’s files, and public ones',
    before: async (world) => ({ id: (await filled(world)).file_id }),
    as: { user: 'u1' },
    call: 'GET /storage/download/{id}',
    status: 404,
    code: 'not_found',
    after: async (world) => {
      const bound = world.as({ user: 'u1' });
      const own = await reserve(world, {}, bound);
      await put(world, own, 'mine');
      const shared = await filled(world, 'ours', { visibility: 'public' });
      expect(await bytesOf(world, own.file_id, bound)).toBe('mine');
      expect(await bytesOf(world, shared.file_id, bound)).toBe('ours');
      const { body } = await bound.does('GET /storage/files');
      expect((body as { files: Row[] }).files.map((row) => row.file_id)).toEqual([own.file_id]);
      expectProblem(await bound.does(`DELETE /storage/${shared.file_id}`), 'not_found');
      expect((await bound.does(`GET /v1/files/${own.file_id}`)).body).toMatchObject({ userId: 'u1' });
    },
  },
];

const several = async (world: World) => {
  await filled(world, 'one', { file_name: '1.txt' });
  await reserve(world, { file_name: '2.txt', expected_file_size: '7', visibility: 'public' });
  await reserve(world, { file_name: null });
  const { file_id: gone } = await filled(world, 'gone');
  await world.owner.does(`DELETE /storage/${gone}`);
  return undefined;
};

const LIST: readonly Scenario[] = [
  {
    name: 'slots.list shows the tenant’s files, newest first, without deleted ones',
    before: several,
    call: 'GET /storage/files',
    status: 200,
    golden: 'list',
  },
  {
    name: 'slots.list pages by limit and offset',
    before: several,
    call: 'GET /storage/files?limit=2&offset=1',
    status: 200,
    after: async ({ owner }, { body }) => {
      const page = body as { files: Row[]; has_more: boolean };
      expect(page).toMatchObject({ limit: 2, offset: 1, has_more: false });
      expect(page.files.map((row) => row.file_name)).toEqual(['2.txt', '1.txt']);
      expect((await owner.does('GET /storage/files?limit=1')).body).toMatchObject({ has_more: true, offset: 0 });
      expect((await owner.does('GET /storage/files?offset=100000')).body).toMatchObject({ files: [], limit: 50 });
    },
  },
  {
    name: 'slots.list refuses a limit or offset out of its range with 400',
    call: 'GET /storage/files?limit=101',
    status: 400,
    code: 'invalid_request',
    after: async ({ owner }) => {
      for (const query of ['limit=0', 'limit=x', 'offset=-1', 'offset=100001', 'offset=1.5', 'limit=1&limit=2']) {
        expectProblem(await owner.does(`GET /storage/files?${query}`), 'invalid_request');
      }
    },
  },
];

const UPDATE: readonly Scenario[] = [
  {
    name: 'slots.update makes a file public and answers with its record',
    before: async (world) => ({ id: (await filled(world, 'text', { file_name: 'a.txt' })).file_id }),
    call: 'PATCH /storage/{id}',
    json: { visibility: 'public' },
    status: 200,
    golden: 'updated',
    after: async (world, { body }) => {
      const { file_id: id } = body as Row;
      const stranger = makeWorld(world.daemon).owner;
      expect((await stranger.does(`GET /storage/download/${id}`)).status).toBe(200);
      await world.owner.does(`PATCH /storage/${id}`, { json: { visibility: 'private' } });
      expect((await stranger.does(`GET /storage/download/${id}`)).status).toBe(403);
    },
  },
  {
    name: 'slots.update takes nothing but the two visibilities: 400',
    before: async (world) => ({ id: (await reserve(world)).file_id }),
    call: 'PATCH /storage/{id}',
    json: { visibility: 'anonymous' },
    status: 400,
    code: 'invalid_request',
  },
  {
    name: 'slots.update of another tenant’s file is 403, of an unknown or deleted one 404',
    before: async ({ daemon }) => ({ id: (await filled(makeWorld(daemon), 'x', { visibility: 'public' })).file_id }),
    call: 'PATCH /storage/{id}',
    json: { visibility: 'private' },
    status: 403,
    code: 'forbidden',
    after: async (world) => {
      const json = { visibility: 'private' };
      expectProblem(await world.owner.does('PATCH /storage/none', { json }), 'not_found');
      const { file_id: id } = await filled(world);
      await world.owner.does(`DELETE /storage/${id}`);
      expectProblem(await world.owner.does(`PATCH /storage/${id}`, { json }), 'not_found');
    },
  },
];

const DELETE: readonly Scenario[] = [
  {
    name: 'slots.delete drops the bytes and gives back their room: 204, also the second time',
    before: async (world) => ({ id: (await filled(world)).file_id }),
    call: 'DELETE /storage/{id}',
    status: 204,
    text: '',
    after: async (world) => {
      expect(await usageOf(world)).toMatchObject({ bytes: 0, files: 0, reserved_bytes: 0 });
      const { file_id: id } = await filled(world);
      for (const _ of [1, 2]) expect((await world.owner.does(`DELETE /storage/${id}`)).status).toBe(204);
    },
  },
  {
    name: 'slots.delete of a pending slot gives back its reservation at once and ends its URL',
    before: async (world) => ({ id: (await reserve(world, { expected_file_size: '5000' })).file_id }),
    call: 'DELETE /storage/{id}',
    status: 204,
    after: async (world) => {
      expect(await usageOf(world)).toMatchObject({ reserved_bytes: 0 });
      const slot = await reserve(world);
      await world.owner.does(`DELETE /storage/${slot.file_id}`);
      expectProblem(await put(world, slot, 'late'), 'not_found');
      expect(await usageOf(world)).toMatchObject({ bytes: 0, files: 0, reserved_bytes: 0 });
    },
  },
  {
    name: 'slots.delete of another tenant’s file is 403, of an id that never was 404',
    before: async ({ daemon }) => ({ id: (await filled(makeWorld(daemon), 'x', { visibility: 'public' })).file_id }),
    call: 'DELETE /storage/{id}',
    status: 403,
    code: 'forbidden',
    after: async ({ owner }) => expectProblem(await owner.does('DELETE /storage/never'), 'not_found'),
  },
];

playScenarios('slots', import.meta.url, [...CREATE, ...DOWNLOAD, ...LIST, ...UPDATE, ...DELETE]);
