import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { until } from '../support/wait.ts';
import { Fleet, momentOf, pause, ROUNDS, type Victim, victims } from './fleet.ts';

const UPLOADERS = 4;

interface FileEvent {
  readonly id: string;
  readonly data: { readonly id: string };
}

/** A receiver that says nothing while it is `silent`: what it is told then is not delivered. */
async function startReceiver() {
  /** Ids of events by the file they tell of, as often as each was received. */
  const heard = new Map<string, string[]>();
  const held = new Set<ServerResponse>();
  const state = { silent: false };
  const take = async (req: IncomingMessage, res: ServerResponse) => {
    const event = JSON.parse(await text(req)) as FileEvent;
    if (state.silent) return void held.add(res);
    heard.set(event.data.id, [...(heard.get(event.data.id) ?? []), event.id]);
    res.writeHead(204).end();
  };
  const server = createServer((req, res) => void take(req, res).catch(() => res.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(state, {
    heard,
    /** Whoever still waits for an answer is hung up on; from here on all is heard. */
    listen() {
      state.silent = false;
      for (const res of held) res.destroy();
      held.clear();
    },
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => void server.close(() => resolve()).closeAllConnections()),
  });
}

/** Uploads until it is told to stop, or the daemon dies; gathers the ids that were acknowledged. */
async function upload(fleet: Fleet, acknowledged: Set<string>, isOver: () => boolean): Promise<void> {
  const body = JSON.stringify({ content: 'eA==', user_id: 'u1', purpose: 'knowledge' });
  const headers = { 'content-type': 'application/json' };
  while (!isOver()) {
    const answer = await fleet.request('/v1/files', { method: 'POST', body, headers }).catch(() => null);
    const file = answer?.ok === true ? await (answer.json() as Promise<{ id: string }>).catch(() => null) : null;
    if (file !== null) acknowledged.add(file.id);
  }
}

/** Half of the kills of a worker do: its part is taken over in the same way each time. */
const roundsOf = (victim: Victim) => (victim === 'daemon' ? ROUNDS : Math.ceil(ROUNDS / 2));

describe.each(victims('daemon'))('kill -9 of a %s between an event and its delivery', (victim) => {
  it(
    `webhooks.put has all that was acknowledged announced, and nothing else, in ${roundsOf(victim)} kills`,
    async () => {
      await using receiver = await startReceiver();
      await using fleet = await Fleet.start(victim, { WEBHOOKS_ALLOW_PRIVATE: 'true' });
      const webhook = { url: receiver.url, events: ['file.created'], secret: 'a-secret-of-a-crash' };
      const json = { body: JSON.stringify(webhook), headers: { 'content-type': 'application/json' } };
      expect((await fleet.administer('/v1/webhooks', { method: 'PUT', ...json })).status).toBe(201);
      const acknowledged = new Set<string>();
      for (let round = 0; round < roundsOf(victim); round += 1) {
        let isOver = false;
        // Nothing was delivered when the blow falls, or some of it is on its way.
        receiver.silent = victim === 'daemon' && round % 2 === 0;
        const uploads = Array.from({ length: UPLOADERS }, () => upload(fleet, acknowledged, () => isOver));
        const before = acknowledged.size;
        await until(() => acknowledged.size > before + UPLOADERS, 'some uploads');
        await pause(momentOf(round, 200));
        isOver = true;
        await fleet.strike();
        await Promise.all(uploads);
        receiver.listen();
        const missing = () => [...acknowledged].filter((id) => !receiver.heard.has(id));
        await until(() => missing().length === 0, `the delivery of all, in round ${round}`, 30_000);
      }
      for (const [file, events] of receiver.heard) {
        expect([file, new Set(events).size]).toEqual([file, 1]);
        expect([file, (await fleet.request(`/v1/files/${file}`)).status]).toEqual([file, 200]);
      }
      expect(await fleet.end()).toBe(0);
    },
    120_000 + ROUNDS * 30_000,
  );
});
