import { createHash } from 'node:crypto';
import { actor } from '../../support/actor.ts';
import { expectProblem, playScenarios, type Scenario, type World } from '../../support/scenario.ts';
import { bytesOf, put, putChunked, reserve, rowOf, stagedOf, targetOf, usageOf } from './reserved.ts';

const MOST = 64 * 1024;
const OPTIONS = { env: { SLOT_MAX_FILE_BYTES: '64KiB' } };

const CALL = 'PUT {target}';
const before = async (world: World, wanted: object = {}) => {
  const slot = await reserve(world, wanted);
  return { target: targetOf(slot.upload_url), id: slot.file_id };
};
const HEADERS = { 'content-type': 'text/plain', 'x-goog-content-length-range': `0,${MOST}` };

const PUT: readonly Scenario[] = [
  {
    name: 'slots.put keeps the bytes: 200, and the file is uploaded',
    as: 'nobody',
    before: (world) => before(world, { expected_file_size: '10' }),
    call: CALL,
    raw: '0123456789',
    headers: HEADERS,
    status: 200,
    text: '',
    answers: {
      etag: `"${createHash('sha256').update('0123456789').digest('hex')}"`,
      'cache-control': 'private, no-store',
      'referrer-policy': 'no-referrer',
    },
    after: async (world) => {
      const { body } = await world.owner.does('GET /storage/files');
      const [row] = (body as { files: { file_id: string }[] }).files;
      expect(row).toMatchObject({ status: 'uploaded', actual_file_size: '10', uploaded_at: expect.any(String) });
      expect(await bytesOf(world, row?.file_id ?? '')).toBe('0123456789');
      expect(await usageOf(world)).toMatchObject({ bytes: 10, files: 1, reserved_bytes: 0 });
      expect(await stagedOf(world)).toEqual([]);
    },
  },
  {
    name: 'slots.put takes what was announced without a size, declared or chunked, also nothing at all',
    as: 'nobody',
    before,
    call: CALL,
    raw: '',
    headers: HEADERS,
    status: 200,
    after: async (world) => {
      const slot = await reserve(world);
      expect((await putChunked(world, slot, ['one ', 'two ', 'three'])).status).toBe(200);
      expect(await bytesOf(world, slot.file_id)).toBe('one two three');
      expect(await usageOf(world)).toMatchObject({ bytes: 13, files: 2, reserved_bytes: 0 });
    },
  },
  {
    name: 'slots.put ignores every other credential, right, wrong or of another tenant',
    as: 'nobody',
    before,
    call: CALL,
    raw: 'x',
    headers: { ...HEADERS, authorization: 'Bearer not.a.token', 'x-api-key': 'none' },
    status: 200,
  },
  {
    name: 'slots.put refuses required headers that differ or are absent with 403, and the URL stays good',
    as: 'nobody',
    before,
    call: CALL,
    raw: 'x',
    headers: { ...HEADERS, 'content-type': 'text/html' },
    status: 403,
    code: 'forbidden',
    after: async (world) => {
      const slot = await reserve(world);
      const range = 'x-goog-content-length-range';
      const target = targetOf(slot.upload_url);
      for (const headers of [
        { ...HEADERS, 'content-type': 'text/plain; charset=utf-8' },
        { ...HEADERS, 'content-type': 'TEXT/plain' },
        { ...HEADERS, [range]: `0,${MOST + 1}` },
        { ...HEADERS, [range]: `0, ${MOST}` },
        { ...HEADERS, [range]: `0,${MOST},0,${MOST}` },
        { 'content-type': 'text/plain' },
        { [range]: `0,${MOST}`, 'content-type': '' },
      ]) {
        expectProblem(await world.as('nobody').does(`PUT ${target}`, { raw: 'x', headers }), 'forbidden');
      }
      expect((await put(world, slot, 'x')).status).toBe(200);
    },
  },
  {
    name: 'slots.put refuses another length than declared with 400, and the URL stays good',
    as: 'nobody',
    before: (world) => before(world, { expected_file_size: '10' }),
    call: CALL,
    raw: '012345678',
    headers: HEADERS,
    status: 400,
    code: 'invalid_request',
    after: async (world) => {
      const slot = await reserve(world, { expected_file_size: '10' });
      expect((await put(world, slot, '0123456789+')).status).toBe(400);
      expect((await putChunked(world, slot, ['01234', '56789', '+'])).status).toBe(400);
      expect((await putChunked(world, slot, ['01234'])).status).toBe(400);
      expect(await stagedOf(world)).toEqual([]);
      expect(await rowOf(world, slot)).toMatchObject({ status: 'pending_upload', file_size: '10' });
      expect((await putChunked(world, slot, ['01234', '56789'])).status).toBe(200);
    },
  },
  {
    name: 'slots.put refuses more than the ceiling with 413, declared or not, and keeps nothing of it',
    as: 'nobody',
    before,
    call: CALL,
    raw: 'x'.repeat(MOST + 1),
    headers: HEADERS,
    status: 413,
    code: 'too_large',
    after: async (world) => {
      const slot = await reserve(world);
      expect((await putChunked(world, slot, ['x'.repeat(MOST), 'x'])).status).toBe(413);
      expect(await stagedOf(world)).toEqual([]);
      expect((await putChunked(world, slot, ['x'.repeat(MOST)])).status).toBe(200);
    },
  },
  {
    name: 'slots.put refuses what there is no room for with 507, and the URL stays good',
    as: 'nobody',
    before: async (world) => {
      const { as, tenant } = world;
      await as({ scope: 'admin' }).does(`PUT /admin/tenants/${tenant}`, { json: { quota_bytes: 1000 } });
      return before(world);
    },
    call: CALL,
    raw: 'x'.repeat(1001),
    headers: HEADERS,
    status: 507,
    code: 'quota_exceeded',
    after: async (world) => {
      const slot = await reserve(world);
      expect((await putChunked(world, slot, ['x'.repeat(600), 'x'.repeat(600)])).status).toBe(507);
      expect((await put(world, slot, 'x'.repeat(1000))).status).toBe(200);
      expect(await usageOf(world)).toMatchObject({ bytes: 1000, files: 1 });
    },
  },
  {
    name: 'slots.put uses the URL up: a second one is 403, and changes nothing',
    as: 'nobody',
    before: async (world) => {
      const slot = await reserve(world);
      await put(world, slot, 'first');
      return { target: targetOf(slot.upload_url) };
    },
    call: CALL,
    raw: 'second',
    headers: HEADERS,
    status: 403,
    code: 'forbidden',
    after: async (world) => {
      const { body } = await world.owner.does('GET /storage/files');
      const [row] = (body as { files: { file_id: string }[] }).files;
      expect(await bytesOf(world, row?.file_id ?? '')).toBe('first');
    },
  },
  {
    name: 'slots.put is good for PUT alone, and its token is no credential for anything else',
    as: 'nobody',
    before,
    call: 'GET {target}',
    status: 405,
    code: 'method_not_allowed',
    after: async (world) => {
      const target = targetOf((await reserve(world)).upload_url);
      const nobody = world.as('nobody');
      for (const method of ['HEAD', 'POST', 'PATCH', 'DELETE']) {
        expect((await nobody.does(`${method} ${target}`)).status).toBe(405);
      }
      expect((await nobody.does(`GET ${target.replace('/slots/', '/files/')}`)).status).toBe(403);
      const thief = actor(world.daemon.url, target.replace(/^.*token=/, ''));
      expect((await thief.does('GET /storage/files')).status).toBe(401);
    },
  },
];

playScenarios('the upload of a slot', import.meta.url, PUT, OPTIONS);
