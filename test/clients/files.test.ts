import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { makeWorld, type World } from '../support/scenario.ts';
import { type FileObject, FilesApiError, FilesClient, type ListFilters } from './files-client.ts';

describe('a client of purpose-tagged files', () => {
  let daemon: TestDaemon;
  let world: World;
  let client: FilesClient;
  beforeAll(async () => {
    daemon = await startTestDaemon();
  });
  afterAll(() => daemon.close());
  beforeEach(() => {
    world = makeWorld(daemon);
    client = new FilesClient(daemon.url, daemon.token({ tenant: world.tenant }));
  });

  async function listed(filters: ListFilters): Promise<readonly FileObject[]> {
    const files: FileObject[] = [];
    for await (const file of client.list(filters)) files.push(file);
    return files;
  }

  it('uploads, lists, reads, hands out and deletes files', async () => {
    const csv = new Blob(['region,amount\nnorth,12\n'], { type: 'text/csv' });
    const report = await client.upload(csv, 'report.csv', { userId: 'user_42', purpose: 'knowledge' });
    expect(report).toMatchObject({
      filename: 'report.csv',
      mimeType: 'text/csv',
      size: 23,
      purpose: 'knowledge',
      userId: 'user_42',
    });
    expect(report.id).toMatch(/^file_/);
    const photo = await client.uploadBase64('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAA=', {
      userId: 'user_42',
      filename: 'photo.png',
    });
    expect(photo).toMatchObject({ mimeType: 'image/png', purpose: 'agent_input' });
    for (let n = 0; n < 3; n += 1) await client.upload(new Blob([`${n}`]), `${n}.txt`, { userId: 'user_43' });

    expect((await listed({ limit: 2 })).map(({ filename }) => filename)).toEqual([
      '2.txt',
      '1.txt',
      '0.txt',
      'photo.png',
      'report.csv',
    ]);
    expect(await listed({ userId: 'user_42', purpose: 'knowledge' })).toEqual([report]);
    expect(await client.get(report.id)).toEqual(report);

    const { type, bytes } = await client.content(report.id);
    expect([type, Buffer.from(bytes).toString()]).toEqual([
      expect.stringMatching(/^text\/csv/),
      'region,amount\nnorth,12\n',
    ]);

    const { url, expiresAt } = await client.url(report.id, '15m');
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
    expect(await (await fetch(url)).text()).toBe('region,amount\nnorth,12\n');

    await client.delete(report.id);
    await client.delete(report.id);
    expect((await fetch(url)).status).toBe(404);
    const gone = await client.get(report.id).catch((error: unknown) => error);
    expect(gone).toBeInstanceOf(FilesApiError);
    expect(gone).toMatchObject({ status: 404, message: expect.any(String) });
  });

  it('gives an agent its inputs, and finds what the agent made by its run', async () => {
    await client.upload(new Blob(['1,2']), 'numbers.csv', {
      userId: 'user_42',
      purpose: 'agent_input',
      sessionId: 'chat_1',
    });
    await world.owner.makesAgent('analyst');
    const run = await world.owner.startsRun('analyst', { user_id: 'user_42', session_id: 'chat_1' });
    expect(await world.owner.reads('analyst', 'data/numbers.csv')).toBe('1,2');
    await writeFile(join(world.disk('analyst'), 'sum.txt'), '3');
    await world.owner.finishesRun(run);

    const [output, ...others] = await listed({ runId: run.run_id, purpose: 'agent_output' });
    expect(others).toEqual([]);
    expect(output).toMatchObject({
      ...{ filename: 'sum.txt', userId: 'user_42', agentId: 'analyst', sessionId: 'chat_1', runId: run.run_id },
      path: '/sum.txt',
    });
    expect(Buffer.from((await client.content(output?.id ?? '')).bytes).toString()).toBe('3');
  });
});
