import { until } from '../support/wait.ts';
import { Fleet, momentOf, pause, ROUNDS } from './fleet.ts';

const CLIENTS = 8;

/** 'interrupted' is the answer to a request that a crash cut short, and that may have been done. */
type Outcome = 'made' | 'interrupted' | 'to try again';

async function create(fleet: Fleet, key: string): Promise<Outcome> {
  const sent = { userId: 'u1', filename: key, content: Buffer.from(key).toString('base64') };
  const headers = { 'content-type': 'application/json', 'idempotency-key': key, connection: 'close' };
  try {
    const response = await fleet.request('/v1/files', { method: 'POST', body: JSON.stringify(sent), headers });
    await response.arrayBuffer();
    if (response.status === 201) return 'made';
    return response.status === 409 && !response.headers.has('retry-after') ? 'interrupted' : 'to try again';
  } catch {
    return 'to try again';
  }
}

/** Sends it until the daemon has said its last word. */
async function insist(fleet: Fleet, key: string): Promise<Outcome> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const outcome = await create(fleet, key);
    if (outcome !== 'to try again') return outcome;
    await pause(25);
  }
  throw new Error(`there was no last word on ${key}`);
}

/** The names of all files, once for each file of the name. */
async function filenames(fleet: Fleet): Promise<readonly string[]> {
  const names: string[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const more: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const page: Page = await fleet.json<Page>(`/v1/files?limit=1000${more}`);
    names.push(...page.data.map(({ filename }) => filename));
    cursor = page.next_cursor;
  }
  return names;
}

interface Page {
  readonly data: readonly { readonly filename: string }[];
  readonly next_cursor?: string;
}

describe('kill -9 of the daemon under requests that carry an Idempotency-Key', () => {
  it(
    `files.create makes none of them twice in ${ROUNDS} kills`,
    async () => {
      await using fleet = await Fleet.start('daemon');
      const outcomes = new Map<string, Outcome>();
      for (let round = 0; round < ROUNDS; round++) {
        let isOver = false;
        const client = async (n: number) => {
          for (let made = 0; !isOver; made++) {
            const key = `round ${round}, client ${n}, file ${made}`;
            outcomes.set(key, await insist(fleet, key));
          }
        };
        const clients = Array.from({ length: CLIENTS }, (_, n) => client(n));
        const before = outcomes.size;
        await until(() => outcomes.size > before + CLIENTS, 'every client has made some', 40_000);
        await pause(momentOf(round, 150));
        const struck = fleet.strike();
        await pause(100);
        isOver = true;
        await struck;
        await Promise.all(clients);
      }
      const names = await filenames(fleet);
      expect(names).toHaveLength(new Set(names).size);
      const there = new Set(names);
      const lost = [...outcomes].filter(([key, outcome]) => outcome === 'made' && !there.has(key));
      expect(lost).toEqual([]);
      expect([...outcomes.values()].filter((outcome) => outcome === 'made').length).toBeGreaterThan(CLIENTS);
      await fleet.expectClean();
      expect(await fleet.end()).toBe(0);
    },
    120_000 + ROUNDS * 10_000,
  );
});
