import { type EventBody, type Listener, listenTo } from '../support/events.ts';
import { token } from '../support/process.ts';
import { until } from '../support/wait.ts';
import { Fleet, momentOf, pause, ROUNDS, victims } from './fleet.ts';

const WRITERS = 4;
const EVENTS = '/agent/a1/filesystem/events';

/** A client that comes back with the last id it heard whenever its stream ends, as an EventSource does. */
class Client {
  readonly heard: EventBody[] = [];
  readonly #fleet: Fleet;
  #listener: Listener | null = null;
  #lastId: string | null = null;
  #isOver = false;
  readonly #work: Promise<void>;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#work = this.#listen();
  }

  get isListening(): boolean {
    return this.#listener !== null && !this.#listener.isOver();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#listener?.close();
    await this.#work;
  }

  async #listen(): Promise<void> {
    while (!this.#isOver) {
      const headers = {
        authorization: `Bearer ${token({ tenant: 'acme' })}`,
        ...(this.#lastId === null ? {} : { 'last-event-id': this.#lastId }),
      };
      const listener = await listenTo(this.#fleet.url, EVENTS, headers).catch(() => null);
      this.#listener = listener;
      if (listener !== null) {
        await until(() => listener.isOver() || this.#isOver, 'the stream ends', 600_000);
        this.heard.push(...listener.events.splice(0));
        this.#lastId = listener.lastId() || this.#lastId;
      }
      await pause(50);
    }
  }

  /** Everything that was told so far. */
  told(): readonly EventBody[] {
    return [...this.heard, ...(this.#listener?.events ?? [])];
  }
}

/** Writes until it is told to stop; the paths whose writing was acknowledged. */
async function write(fleet: Fleet, name: string, signal: AbortSignal): Promise<readonly string[]> {
  const acknowledged: string[] = [];
  for (let n = 0; !signal.aborted; n++) {
    const path = `/${name}/f${n}`;
    const sent = { method: 'PUT', body: 'x', headers: { 'content-type': 'application/octet-stream' } };
    const response = await fleet.request(`/agent/a1/filesystem/files${path}?upsert=true`, sent).catch(() => null);
    if (response?.ok === true) acknowledged.push(path);
    if (response === null) await pause(50);
    else await response.arrayBuffer();
  }
  return acknowledged;
}

describe.each(victims('daemon'))('kill -9 of a %s while clients listen', (victim) => {
  it(
    `filesystem.events: after ${ROUNDS} kills every acknowledged write was told, and a resync says where something was not`,
    async () => {
      await using fleet = await Fleet.start(victim);
      await fleet.json('/agent', 'POST', { agent_id: 'a1' });
      await using client = new Client(fleet);
      await until(() => client.isListening, 'it listens', 20_000);
      for (let round = 0; round < ROUNDS; round++) {
        const resyncs = () => client.told().filter(({ type }) => type === 'resync').length;
        const before = resyncs();
        const stop = new AbortController();
        const writers = Array.from({ length: WRITERS }, (_, n) => write(fleet, `r${round}-${n}`, stop.signal));
        await pause(momentOf(round, 500));
        await fleet.strike();
        await pause(100);
        stop.abort();
        const acknowledged = (await Promise.all(writers)).flat();
        expect(acknowledged.length).toBeGreaterThan(0);
        const told = () => new Set(client.told().map(({ path }) => path));
        await until(() => acknowledged.every((path) => told().has(path)), 'all that was acknowledged is told', 20_000);
        // What was placed when its process died may be told by nobody. What is from earlier rounds was looked at there: a resync
        // may have stood for it, and a process that wrote nothing in its life dies without one.
        const placed = [...(await fleet.filesIn('agents', 'a1')).keys()].map((path) => `/${path}`);
        const mine = placed.filter((path) => path.startsWith(`/r${round}-`));
        const isComplete = () => resyncs() > before || mine.every((path) => told().has(path));
        await until(isComplete, 'what is there is told, or a resync says that something may not have been', 20_000);
        if (victim === 'daemon')
          await until(() => resyncs() > before, 'the disk was not watched: a resync says so', 20_000);
      }
      expect(await fleet.end()).toBe(0);
    },
    120_000 + ROUNDS * 10_000,
  );
});
