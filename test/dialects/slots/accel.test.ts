import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startTestDaemon, type TestDaemon } from '../../support/daemon.ts';
import { makeWorld, type World } from '../../support/scenario.ts';
import { filled, targetOf } from './reserved.ts';

describe('behind an nginx that sends the bytes', () => {
  let daemon: TestDaemon;
  let world: World;
  beforeAll(async () => {
    daemon = await startTestDaemon({ env: { ACCEL_REDIRECT: '/protected/' } });
  });
  afterAll(() => daemon.close());
  beforeEach(() => {
    world = makeWorld(daemon);
  });

  const downloadOf = async (id: string) => {
    const { body } = await world.owner.does(`GET /storage/download/${id}`);
    return targetOf((body as { download_url: string }).download_url);
  };

  it('slots.download leads to an answer without bytes that names where they lie, with all that nginx passes on', async () => {
    const { file_id: id } = await filled(world, '<script>1</script>', {
      content_type: 'text/html',
      file_name: 'a.html',
    });
    const answer = await world.as('nobody').does(`GET ${await downloadOf(id)}`, { headers: { range: 'bytes=0-1' } });
    expect(answer).toMatchObject({ status: 200, text: '' });
    expect(answer.headers).toMatchObject({
      'content-type': expect.stringMatching(/^text\/html/),
      'content-disposition': expect.stringMatching(/^attachment; filename=a\.html/),
      'content-security-policy': expect.stringContaining('sandbox'),
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, no-store',
    });
    const location = String(answer.headers['x-accel-redirect']);
    expect(location).toMatch(new RegExp(`^/protected/tenants/${world.tenant}/objects/tree/[0-9a-f]{2}/[0-9a-f]{64}$`));
    const place = location.slice('/protected/'.length);
    expect(await readFile(join(daemon.dataDir, place), 'utf8')).toBe('<script>1</script>');
  });

  it('slots.download of a deleted file, or by a changed link, names no place', async () => {
    const { file_id: id } = await filled(world);
    const target = await downloadOf(id);
    await world.owner.does(`DELETE /storage/${id}`);
    for (const [one, status] of [
      [target, 404],
      [`${target}x`, 403],
    ] as const) {
      const answer = await world.as('nobody').does(`GET ${one}`);
      expect([answer.status, answer.headers['x-accel-redirect']]).toEqual([status, undefined]);
    }
  });

  it('store.download and filesystem.read send their own bytes: an agent could put a link at a path that nginx opens', async () => {
    await world.owner.stores('a.txt', 'stored');
    await world.owner.writes('a1', 'a.txt', 'written');
    for (const [call, text] of [
      ['GET /api/v1/files/download?path=a.txt', 'stored'],
      ['GET /agent/a1/filesystem/files/a.txt?raw=true', 'written'],
    ] as const) {
      const answer = await world.owner.does(call);
      expect([answer.text, answer.headers['x-accel-redirect']]).toEqual([text, undefined]);
    }
  });
});
