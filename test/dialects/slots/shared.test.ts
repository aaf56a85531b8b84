import { startTestDaemon, type TestDaemon } from '../../support/daemon.ts';
import { expectProblem, makeWorld, secondsUntil, type World } from '../../support/scenario.ts';
import { bytesOf, filled, put, type Reserved, type Row, reserve, rowOf, usageOf } from './reserved.ts';

describe('one registry', () => {
  let daemon: TestDaemon;
  let world: World;
  beforeAll(async () => {
    daemon = await startTestDaemon({ env: { RATE_LIMIT_PER_MINUTE: '60' } });
  });
  afterAll(() => daemon.close());
  beforeEach(() => {
    world = makeWorld(daemon);
  });

  it('slots.put makes a file that files.get and files.content show under the same id, with its declared type', async () => {
    const { file_id: id } = await filled(world, '%PDF-1.4 not really', {
      content_type: 'text/x-odd',
      file_name: 'a.png',
    });
    const { body } = await world.owner.does(`GET /v1/files/${id}`);
    expect(body).toMatchObject({
      id,
      mimeType: 'text/x-odd',
      filename: 'a.png',
      purpose: null,
      userId: null,
      size: 19,
    });
    expect((await world.owner.does(`GET /v1/files/${id}/content`)).text).toBe('%PDF-1.4 not really');
    const { data } = (await world.owner.does('GET /v1/files')).body as { data: { id: string }[] };
    expect(data.map((file) => file.id)).toEqual([id]);
  });

  it('slots.create makes what the other calls say is pending: 409, and do not list', async () => {
    const { file_id: id } = await reserve(world);
    for (const call of [`GET /v1/files/${id}`, `GET /v1/files/${id}/content`, `GET /v1/files/${id}/url`]) {
      expectProblem(await world.owner.does(call), 'pending_upload');
    }
    expectProblem(await world.owner.does(`DELETE /v1/files/${id}`), 'pending_upload');
    expect((await world.owner.does('GET /v1/files')).body).toMatchObject({ data: [] });
    expect(await rowOf(world, { file_id: id })).toMatchObject({ status: 'pending_upload' });
  });

  it('slots.list, slots.download, slots.update and slots.delete take files that files.create made', async () => {
    const { id } = await world.owner.uploads('report.csv', '1,2', { purpose: 'knowledge' });
    expect(await rowOf(world, { file_id: id })).toMatchObject({
      ...{ file_name: 'report.csv', content_type: 'text/csv', status: 'uploaded', visibility: 'private' },
      ...{ expected_file_size: null, actual_file_size: '3', file_size: '3', uploaded_at: expect.any(String) },
    });
    expect(await bytesOf(world, id)).toBe('1,2');
    const stranger = makeWorld(daemon);
    expectProblem(await stranger.owner.does(`GET /storage/download/${id}`), 'forbidden');
    expect((await world.owner.does(`PATCH /storage/${id}`, { json: { visibility: 'public' } })).status).toBe(200);
    expect(await bytesOf(stranger, id)).toBe('1,2');
    expect((await stranger.owner.does(`GET /v1/files/${id}`)).status).toBe(404);
    expect((await world.owner.does(`DELETE /storage/${id}`)).status).toBe(204);
    expect((await world.owner.does(`GET /v1/files/${id}`)).status).toBe(404);
    expect(await usageOf(world)).toMatchObject({ bytes: 0, files: 0 });
  });

  it('slots.put keeps equal bytes once, charges each, and slots.delete leaves those of the others', async () => {
    const [one, other] = [await filled(world, 'same'), await filled(world, 'same')];
    expect(await usageOf(world)).toMatchObject({ bytes: 8, files: 2 });
    await world.owner.does(`DELETE /storage/${one.file_id}`);
    expect(await bytesOf(world, other.file_id)).toBe('same');
    expect(await usageOf(world)).toMatchObject({ bytes: 4, files: 1 });
  });

  it('slots.create with expires_after says in Sunset when the file will be gone, as slots.update and files.get do', async () => {
    const typed = { content_type: 'text/plain' };
    const made = await world.owner.does('POST /storage/upload', { json: { ...typed, expires_after: '7d' } });
    const [slot, { sunset }] = [made.body as Reserved, made.headers];
    expect([secondsUntil(sunset) / 10, secondsUntil(slot.expires_at) / 10].map(Math.round)).toEqual([60_480, 90]);
    expect((await put(world, slot, 'x')).status).toBe(200);
    const changed = await world.owner.does(`PATCH /storage/${slot.file_id}`, { json: { visibility: 'public' } });
    const got = await world.owner.does(`GET /v1/files/${slot.file_id}`);
    expect([changed.headers.sunset, got.headers.sunset]).toEqual([sunset, sunset]);
    // Nothing can be uploaded to what is gone by then.
    const brief = await reserve(world, { expiresAfter: 60 });
    expect(Math.round(secondsUntil(brief.expires_at) / 10)).toBe(6);
    const lasting = await world.owner.does('POST /storage/upload', { json: { ...typed, expires_after: null } });
    expect(lasting.headers).not.toHaveProperty('sunset');
  });

  it('slots.list takes an API key in X-Sapiom-Api-Key as well', async () => {
    const made = await world.as({ scope: 'admin' }).does(`POST /admin/tenants/${world.tenant}/keys`, { json: {} });
    const { key } = made.body as { key: string };
    for (const name of ['X-Sapiom-Api-Key', 'X-API-Key']) {
      const { status, body } = await world.as('nobody').does('GET /storage/files', { headers: { [name]: key } });
      expect([status, (body as { files: Row[] }).files]).toEqual([200, []]);
    }
    const wrong = { headers: { 'x-sapiom-api-key': `${key}x` } };
    expect((await world.as('nobody').does('GET /storage/files', wrong)).status).toBe(401);
  });

  it('slots.create is 429 with Retry-After once a credential has asked too often', async () => {
    const json = { content_type: 'text/plain' };
    const calls = Array.from({ length: 70 }, () => world.owner.does('POST /storage/upload', { json }));
    const answers = await Promise.all(calls);
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.length).toBeGreaterThan(0);
    for (const answer of refused) expectProblem(answer, 'rate_limited');
    expect(refused[0]?.headers['retry-after']).toMatch(/^\d+$/);
  });
});
