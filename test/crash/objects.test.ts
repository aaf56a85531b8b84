import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { openDatabase } from '../../src/db/drivers.ts';
import { until } from '../support/wait.ts';
import { makeContent } from './content.ts';
import { Fleet, momentOf, pause, ROUNDS, victims } from './fleet.ts';

const WRITERS = 6;
/** So few different contents that writers meet in them, made and deleted at the same moment. */
const CONTENTS = 4;

interface ListBody {
  readonly data: readonly { readonly id: string; readonly sha256: string }[];
  readonly next_cursor?: string;
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Writers that upload the same few contents, and some of their own, and delete every other file again, until the daemon dies. */
class Files {
  readonly #fleet: Fleet;
  /** What was acknowledged and not asked to go, by id. */
  readonly kept = new Map<string, string>();
  readonly deleted = new Set<string>();
  #made = 0;
  #stopped = false;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  get made(): number {
    return this.#made;
  }

  async write(writer: number): Promise<void> {
    while (!this.#stopped) {
      const turn = this.#made++;
      const body = turn % 5 === 0 ? makeContent(`${writer}`, turn, 20_000) : makeContent('same', turn % CONTENTS, 5000);
      const id = await this.#upload(body).catch(() => null);
      if (id === null) continue;
      if (turn % 2 === 0) this.kept.set(id, sha256(body));
      else if (await this.#delete(id).catch(() => false)) this.deleted.add(id);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  async #upload(body: Buffer): Promise<string | null> {
    const form = new FormData();
    form.append('userId', 'u1');
    form.append('file', new Blob([new Uint8Array(body)]), 'file.bin');
    const response = await this.#fleet.request('/v1/files', { method: 'POST', body: form });
    return response.ok ? ((await response.json()) as { id: string }).id : null;
  }

  async #delete(id: string): Promise<boolean> {
    return (await this.#fleet.request(`/v1/files/${id}`, { method: 'DELETE' })).ok;
  }
}

/** Every acknowledged file is whole, every deletion holds. */
async function checkAcknowledged(fleet: Fleet, { kept, deleted }: Files): Promise<void> {
  for (const [id, hash] of kept) {
    const response = await fleet.request(`/v1/files/${id}/content`);
    expect([id, response.status, sha256(new Uint8Array(await response.arrayBuffer()))]).toEqual([id, 200, hash]);
  }
  for (const id of deleted) expect([id, (await fleet.request(`/v1/files/${id}`)).status]).toEqual([id, 404]);
}

async function listed(fleet: Fleet): Promise<readonly string[]> {
  const hashes: string[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const page: ListBody = await fleet.json(`/v1/files?limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`);
    hashes.push(...page.data.map((file) => file.sha256));
    cursor = page.next_cursor;
  }
  return hashes;
}

/** On the disk lies each content that a file has, whole and once, and nothing else; the references are as many as the files. */
async function checkContents(fleet: Fleet): Promise<void> {
  const hashes = await listed(fleet);
  const wanted = [...new Set(hashes)].sort();
  const names = async () => [...(await fleet.filesIn('objects')).keys()].map((path) => basename(path)).sort();
  await until(async () => (await names()).length === wanted.length, 'what no file has is swept', 15_000);
  for (const [path, bytes] of await fleet.filesIn('objects')) expect(sha256(bytes)).toBe(basename(path));
  expect(await names()).toEqual(wanted);
  const opened = await openDatabase(`sqlite:${join(fleet.dataDir, 'workspaced.db')}`);
  try {
    const rows = await opened.db.selectFrom('contents').select(['sha256', 'refs']).orderBy('sha256').execute();
    const counted = wanted.map((hash) => ({ sha256: hash, refs: hashes.filter((other) => other === hash).length }));
    expect(rows).toEqual(counted);
  } finally {
    await opened.close();
  }
}

describe.each(victims('worker'))('kill -9 of a %s while files are made and deleted', (victim) => {
  it(
    `files.create and files.delete lose nothing acknowledged, and leave no content behind, in ${ROUNDS} kills`,
    async () => {
      await using fleet = await Fleet.start(victim);
      for (let round = 0; round < ROUNDS; round++) {
        const files = new Files(fleet);
        const writers = Array.from({ length: WRITERS }, (_, writer) => files.write(writer));
        await until(() => files.kept.size > 0, 'a file is made', 40_000);
        await pause(momentOf(round, 400));
        files.stop();
        await fleet.strike();
        await Promise.all(writers);
        await checkAcknowledged(fleet, files);
        await fleet.expectClean();
        await checkContents(fleet);
        expect(files.kept.size).toBeGreaterThan(0);
      }
      expect(await fleet.end()).toBe(0);
    },
    120_000 + ROUNDS * 10_000,
  );
});
