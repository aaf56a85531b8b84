import { actor } from '../support/actor.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { StorageClient } from './slots-client.ts';

describe('a client written after the documentation of presigned storage', () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await startTestDaemon();
  });
  afterAll(() => daemon.close());

  /** The client, with nothing but its base URL and its key set. */
  async function clientOf(tenant: string): Promise<StorageClient> {
    const operator = actor(daemon.url, daemon.token({ tenant, scope: 'admin' }));
    await operator.does(`PUT /admin/tenants/${tenant}`, { json: {} });
    const { body } = await operator.does(`POST /admin/tenants/${tenant}/keys`, { json: {} });
    return new StorageClient(`${daemon.url}/storage`, (body as { key: string }).key);
  }

  it('uploads to a slot, downloads by URL, lists, shares and deletes', async () => {
    const [client, other] = [await clientOf('maker'), await clientOf('reader')];
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const id = await client.upload(bytes, 'application/x-thing', { fileName: 'thing.bin' });
    expect(Buffer.from(await client.download(id)).equals(Buffer.from(bytes))).toBe(true);
    const { files, has_more: hasMore } = await client.list(10, 0);
    expect([files.length, hasMore]).toEqual([1, false]);
    expect(files[0]).toMatchObject({ file_id: id, status: 'uploaded', file_size: '60000', download_request_count: 1 });

    await expect(other.download(id)).rejects.toMatchObject({ status: 403 });
    expect(await client.setVisibility(id, 'public')).toMatchObject({ visibility: 'public' });
    const url = await other.downloadUrl(id);
    expect(await other.list(10, 0)).toMatchObject({ files: [] });
    await expect(other.remove(id)).rejects.toMatchObject({ status: 403 });

    await client.remove(id);
    await client.remove(id);
    await expect(client.download(id)).rejects.toMatchObject({ status: 404 });
    expect((await fetch(url)).status).toBe(404);
  });

  it('meets the documented refusals', async () => {
    const client = await clientOf('refused');
    await expect(client.requestUpload(1, 'nonsense')).rejects.toMatchObject({ status: 400 });
    await expect(client.requestUpload(2 ** 40, 'a/b')).rejects.toMatchObject({ status: 413 });
    const slot = await client.requestUpload(3, 'a/b');
    await expect(client.downloadUrl(slot.file_id)).rejects.toMatchObject({ status: 409 });
    const put = (body: string, headers: Record<string, string>) =>
      fetch(slot.upload_url, { method: 'PUT', body, headers });
    expect((await put('abc', {})).status).toBe(403);
    expect((await put('abcd', slot.required_headers)).status).toBe(400);
    expect((await put('abc', slot.required_headers)).status).toBe(200);
    expect((await put('abc', slot.required_headers)).status).toBe(403);
    const stranger = new StorageClient(`${daemon.url}/storage`, 'no-such-key');
    await expect(stranger.list(10, 0)).rejects.toMatchObject({ status: 401 });
  });
});
