import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fleet, momentOf, pause, ROUNDS } from './fleet.ts';

/** Which worker an upload comes to is chance, so one kill may meet all of them or none. */
const KILLS = Math.max(2, ROUNDS);
const UPLOADS = 16;
const CHUNKS = 12;
const CHUNK_BYTES = 64 * 1024;

interface SlowUpload {
  readonly path: string;
  readonly sha256: string;
  /** true: answered 2xx; false: the connection broke with its worker. Any other answer is a failure of the test. */
  readonly done: Promise<boolean>;
}

/** An upload that is in flight for about a second, on a connection of its own. */
function slowUpload(fleet: Fleet, path: string, everyMs: number): SlowUpload {
  const chunks = Array.from({ length: CHUNKS }, () => randomBytes(CHUNK_BYTES));
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  const body = ReadableStream.from(paced(chunks, everyMs));
  const headers = { 'content-type': 'application/octet-stream', connection: 'close' };
  const request = fleet.request(`/agent/a1/filesystem/files/${path}?upsert=true`, {
    method: 'PUT',
    body,
    headers,
    duplex: 'half',
  });
  const done = request.then(
    (response) => {
      if (!response.ok) throw new Error(`${path} was answered ${response.status}`);
      return true;
    },
    () => false,
  );
  return { path, sha256: hash.digest('hex'), done };
}

async function* paced(chunks: readonly Buffer[], everyMs: number): AsyncIterable<Uint8Array> {
  for (const chunk of chunks) {
    yield new Uint8Array(chunk);
    await pause(everyMs);
  }
}

describe('kill -9 of one worker of two', () => {
  it(
    `the other's uploads in flight are whole through ${KILLS} kills`,
    async () => {
      await using fleet = await Fleet.start('worker');
      await fleet.json('/agent', 'POST', { agent_id: 'a1' });
      let survived = 0;
      for (let round = 0; round < KILLS; round++) {
        await fleet.whole();
        const uploads = Array.from({ length: UPLOADS }, (_, n) => slowUpload(fleet, `round-${round}/upload-${n}`, 60));
        await pause(200 + momentOf(round, 300));
        await fleet.kill();
        for (const upload of uploads) {
          if (!(await upload.done)) continue;
          survived += 1;
          const body = await readFile(join(fleet.tree('agents', 'a1'), upload.path));
          expect(createHash('sha256').update(body).digest('hex')).toBe(upload.sha256);
        }
        await fleet.expectClean();
      }
      expect(survived).toBeGreaterThanOrEqual(KILLS);
      expect(survived).toBeLessThan(KILLS * UPLOADS);
      expect(await fleet.end()).toBe(0);
    },
    120_000 + KILLS * 15_000,
  );
});
