import { until } from '../support/wait.ts';
import { makeContent, versionOf } from './content.ts';
import { Fleet, momentOf, pause, ROUNDS, victims } from './fleet.ts';

const WRITERS = 6;
const FILES_EACH = 3;

/** Writers that overwrite their own few files, in the store or in a workspace, until the daemon dies under them. */
class Uploads {
  readonly #fleet: Fleet;
  /** The newest version of each file that was acknowledged, by home and name. */
  readonly acknowledged = new Map<string, number>();
  #version: number;
  #stopped = false;

  /** @param since the last version of the uploads before these */
  constructor(fleet: Fleet, since: number) {
    this.#fleet = fleet;
    this.#version = since;
  }

  get version(): number {
    return this.#version;
  }

  async write(writer: number): Promise<void> {
    const home = writer % 2 === 0 ? 'store' : 'agents/a1';
    while (!this.#stopped) {
      const version = ++this.#version;
      const name = `writer-${writer}/deep/file-${version % FILES_EACH}`;
      const body = makeContent(name, version, (version % 9) * 30_000);
      const done = await (home === 'store' ? this.#toStore(name, body) : this.#toWorkspace(name, body)).catch(
        () => false,
      );
      if (done) this.acknowledged.set(`${home}:${name}`, version);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  async #toStore(name: string, body: Buffer): Promise<boolean> {
    const form = new FormData();
    form.append('files', new Blob([new Uint8Array(body)]), name);
    return (await this.#fleet.request('/api/v1/files/upload', { method: 'POST', body: form })).ok;
  }

  async #toWorkspace(name: string, body: Buffer): Promise<boolean> {
    const response = await this.#fleet.request(`/agent/a1/filesystem/files/${name}?upsert=true`, {
      method: 'PUT',
      body: new Uint8Array(body),
      headers: { 'content-type': 'application/octet-stream' },
    });
    return response.ok;
  }
}

/** Every file is whole, and none is older than what was acknowledged. */
async function check(fleet: Fleet, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  const versions = new Map<string, number>();
  for (const home of ['store', 'agents/a1']) {
    for (const [name, body] of await fleet.filesIn(...home.split('/')))
      versions.set(`${home}:${name}`, versionOf(name, body));
  }
  for (const [key, version] of acknowledged) {
    expect({ key, version: versions.get(key) ?? 'lost' }).toEqual({ key, version: expect.any(Number) });
    expect(versions.get(key)).toBeGreaterThanOrEqual(version);
  }
}

describe.each(victims('daemon'))('kill -9 of a %s during uploads', (victim) => {
  it(
    `store.upload and filesystem.update lose nothing acknowledged in ${ROUNDS} kills`,
    async () => {
      await using fleet = await Fleet.start(victim);
      await fleet.json('/agent', 'POST', { agent_id: 'a1' });
      let acknowledged = 0;
      let version = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const uploads = new Uploads(fleet, version);
        const writers = Array.from({ length: WRITERS }, (_, writer) => uploads.write(writer));
        await until(() => uploads.acknowledged.size > 0, 'a write is acknowledged', 40_000);
        await pause(momentOf(round, 400));
        uploads.stop();
        await fleet.strike();
        await Promise.all(writers);
        await check(fleet, uploads.acknowledged);
        await fleet.expectClean();
        version = uploads.version;
        acknowledged += uploads.acknowledged.size;
      }
      expect(acknowledged).toBeGreaterThanOrEqual(ROUNDS);
      expect(await fleet.end()).toBe(0);
    },
    120_000 + ROUNDS * 10_000,
  );
});
