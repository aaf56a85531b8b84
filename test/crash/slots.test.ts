import { until } from '../support/wait.ts';
import { makeContent, versionOf } from './content.ts';
import { Fleet, momentOf, pause, ROUNDS, victims } from './fleet.ts';

const WRITERS = 3;
const PIECES = 4;

interface Reserved {
  readonly file_id: string;
  readonly upload_url: string;
  readonly required_headers: Readonly<Record<string, string>>;
}

/** One slot as its client knows it: what it sends, and how much of that was acknowledged. */
interface Upload {
  readonly slot: Reserved;
  readonly body: Buffer;
  arrived: number;
  isDone: boolean;
}

/** Clients that fill slots, whole or in pieces, until the daemon dies under them. */
class Slots {
  readonly #fleet: Fleet;
  readonly uploads: Upload[] = [];
  #version = 0;
  #stopped = false;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  stop(): void {
    this.#stopped = true;
  }

  async write(): Promise<void> {
    while (!this.#stopped) await this.#fillOne(++this.#version).catch(() => undefined);
  }

  async #fillOne(version: number): Promise<void> {
    const body = makeContent('slot', version, (version % 5) * 300_000);
    const known = version % 2 === 0 ? { expected_file_size: String(body.length) } : {};
    const slot = await this.#fleet.json<Reserved>('/storage/upload', 'POST', { content_type: 'x/y', ...known });
    const upload = { slot, body, arrived: 0, isDone: false };
    this.uploads.push(upload);
    const pieces = version % 3 === 0 ? 1 : PIECES;
    for (let n = 1; n <= pieces; n++) await send(this.#fleet, upload, Math.ceil((body.length * n) / pieces));
  }
}

/** Sends what was not acknowledged yet up to `end`, and remembers the answer. */
async function send(fleet: Fleet, upload: Upload, end: number): Promise<void> {
  const { body, arrived } = upload;
  const range = { 'content-range': `bytes ${arrived}-${end - 1}/${body.length}` };
  note(upload, await put(fleet, upload, body.subarray(arrived, end), range));
}

async function put(fleet: Fleet, { slot }: Upload, bytes: Uint8Array, headers: Record<string, string>) {
  const { pathname, search } = new URL(slot.upload_url);
  const body = new Uint8Array(bytes);
  return fleet.request(`${pathname}${search}`, {
    method: 'PUT',
    body,
    headers: { ...slot.required_headers, ...headers },
  });
}

function note(upload: Upload, response: Response): void {
  if (response.status === 200) upload.isDone = true;
  if (response.status !== 308) return;
  const last = /^bytes=0-(\d+)$/.exec(response.headers.get('range') ?? '')?.[1];
  upload.arrived = last === undefined ? 0 : Number(last) + 1;
}

/** What was acknowledged is there; what was not can be ended by the same URL. */
async function finish(fleet: Fleet, upload: Upload): Promise<void> {
  const { body, arrived: acknowledged } = upload;
  if (!upload.isDone) {
    const asked = await put(fleet, upload, Buffer.alloc(0), { 'content-range': `bytes */${body.length}` });
    // 403: all of it was kept already, and only the answer was lost.
    expect([200, 308, 403]).toContain(asked.status);
    if (asked.status === 403) upload.isDone = true;
    note(upload, asked);
    if (!upload.isDone) {
      expect(upload.arrived).toBeGreaterThanOrEqual(acknowledged);
      await send(fleet, upload, body.length);
    }
  }
  expect(upload.isDone).toBe(true);
  const { download_url: url } = await fleet.json<{ download_url: string }>(`/storage/download/${upload.slot.file_id}`);
  const { pathname, search } = new URL(url);
  const kept = Buffer.from(await (await fleet.request(`${pathname}${search}`)).arrayBuffer());
  expect(kept.equals(body)).toBe(true);
  versionOf('slot', kept);
}

describe.each(victims('daemon'))('kill -9 of a %s while slots are filled', (victim) => {
  it(
    `slots.put loses no acknowledged byte, and no URL, in ${ROUNDS} kills`,
    async () => {
      await using fleet = await Fleet.start(victim);
      let [acknowledged, broken] = [0, 0];
      for (let round = 0; round < ROUNDS; round++) {
        const slots = new Slots(fleet);
        const writers = Array.from({ length: WRITERS }, () => slots.write());
        await until(() => slots.uploads.some(({ arrived }) => arrived > 0), 'the first piece is acknowledged');
        await pause(momentOf(round, 150));
        slots.stop();
        await fleet.strike();
        await Promise.all(writers);
        acknowledged += slots.uploads.filter(({ isDone, arrived }) => isDone || arrived > 0).length;
        broken += slots.uploads.filter(({ isDone }) => !isDone).length;
        await Promise.all(slots.uploads.map((upload) => finish(fleet, upload)));
        const { files } = await fleet.json<{ files: { status: string; file_id: string }[] }>(
          '/storage/files?limit=100',
        );
        const known = new Set(slots.uploads.map(({ slot }) => slot.file_id));
        // Slots whose making nobody was told of: their client reserves another.
        const untold = files.filter(({ status, file_id: id }) => status === 'pending_upload' && !known.has(id));
        for (const { file_id: id } of untold) await fleet.request(`/storage/${id}`, { method: 'DELETE' });
        await fleet.expectClean();
      }
      expect(acknowledged).toBeGreaterThanOrEqual(ROUNDS);
      expect(broken).toBeGreaterThan(0);
      expect(await fleet.end()).toBe(0);
    },
    120_000 + ROUNDS * 10_000,
  );
});
