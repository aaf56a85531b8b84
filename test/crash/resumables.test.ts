import { metadataOf, OFFSET_STREAM, TUS } from '../dialects/uploads/tus.ts';
import { until } from '../support/wait.ts';
import { makeContent } from './content.ts';
import { Fleet, momentOf, pause, ROUNDS, victims } from './fleet.ts';

const UPLOADERS = 3;
const TARGETS = ['store', 'workspace', 'file'] as const;

interface Task {
  readonly url: string;
  readonly name: string;
  readonly content: Buffer;
  readonly target: (typeof TARGETS)[number];
  /** The highest offset that an answer named. */
  acknowledged: number;
}

/** Clients that upload one file after another in parts, and go on with what was cut when the daemon is there again. */
class Resumables {
  readonly #fleet: Fleet;
  readonly tasks: Task[] = [];
  readonly finished = new Set<Task>();
  #stopped = false;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  stop(): void {
    this.#stopped = true;
  }

  async upload(uploader: number, round: number): Promise<void> {
    for (let n = 0; !this.#stopped; n++) {
      const task = await this.#begin(`r${round}-u${uploader}-${n}`, TARGETS[(uploader + n) % 3] ?? 'file').catch(
        () => null,
      );
      if (task === null) continue;
      this.tasks.push(task);
      await this.goOn(task, () => this.#stopped).catch(() => undefined);
    }
  }

  /** Sends part after part from where the daemon says, until it is whole. Nothing that was acknowledged may be missing. */
  async goOn(task: Task, isOver: () => boolean): Promise<void> {
    const head = await this.#fleet.request(task.url, { method: 'HEAD', headers: TUS });
    expect([task.name, head.status]).toEqual([task.name, 200]);
    let offset = Number(head.headers.get('upload-offset'));
    expect(offset).toBeGreaterThanOrEqual(task.acknowledged);
    while (offset < task.content.length) {
      if (isOver()) return;
      const part = new Uint8Array(task.content.subarray(offset, offset + 70_000));
      const headers = { ...TUS, ...OFFSET_STREAM, 'upload-offset': String(offset) };
      const answer = await this.#fleet.request(task.url, { method: 'PATCH', body: part, headers });
      expect([task.name, answer.status]).toEqual([task.name, 204]);
      offset = Number(answer.headers.get('upload-offset'));
      task.acknowledged = offset;
    }
    this.finished.add(task);
  }

  async #begin(name: string, target: Task['target']): Promise<Task> {
    const content = makeContent(name, 1, 100_000 + ((name.length * 7919) % 100_000));
    const words = { target, path: `in/${name}`, agent: 'a1', filename: name, userId: 'u1', purpose: 'knowledge' };
    const { agent, ...ofFile } = words;
    const metadata = metadataOf(target === 'file' ? ofFile : { ...words, agent });
    const headers = { ...TUS, 'upload-length': String(content.length), 'upload-metadata': metadata };
    const answer = await this.#fleet.request('/v1/uploads', { method: 'POST', headers });
    if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
    const url = new URL(answer.headers.get('location') ?? '').pathname;
    return { url, name, content, target, acknowledged: 0 };
  }
}

/** Every upload is at its destination, once and whole. */
async function check(fleet: Fleet, tasks: readonly Task[]): Promise<void> {
  const places = { store: await fleet.filesIn('store'), workspace: await fleet.filesIn('agents', 'a1') };
  const { data } = await fleet.json<{ data: { id: string; filename: string }[] }>('/v1/files?limit=1000');
  for (const { name, target, content } of tasks) {
    if (target === 'file') {
      const files = data.filter(({ filename }) => filename === name);
      expect([name, files.length]).toEqual([name, 1]);
      const bytes = await (await fleet.request(`/v1/files/${files[0]?.id}/content`)).arrayBuffer();
      expect([name, content.equals(Buffer.from(bytes))]).toEqual([name, true]);
    } else {
      expect([name, places[target].get(`in/${name}`)?.equals(content)]).toEqual([name, true]);
    }
  }
}

describe.each(victims('worker'))('kill -9 of a %s while uploads go on', (victim) => {
  it(
    `uploads.patch loses nothing acknowledged and places everything once in ${ROUNDS} kills`,
    async () => {
      await using fleet = await Fleet.start(victim);
      await fleet.json('/agent', 'POST', { agent_id: 'a1' });
      let uploaded = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const uploads = new Resumables(fleet);
        const clients = Array.from({ length: UPLOADERS }, (_, uploader) => uploads.upload(uploader, round));
        await until(
          () => uploads.tasks.some(({ acknowledged }) => acknowledged > 0),
          'a piece is acknowledged',
          40_000,
        );
        await pause(momentOf(round, 400));
        uploads.stop();
        await fleet.strike();
        await Promise.all(clients);
        for (const task of uploads.tasks) await uploads.goOn(task, () => false);
        expect(uploads.finished.size).toBe(uploads.tasks.length);
        await check(fleet, uploads.tasks);
        await fleet.expectClean();
        uploaded += uploads.tasks.length;
      }
      expect(uploaded).toBeGreaterThan(ROUNDS);
      expect(await fleet.end()).toBe(0);
    },
    120_000 + ROUNDS * 10_000,
  );
});
