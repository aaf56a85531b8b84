import { Agent } from 'node:http';
import type { Sent } from '../support/actor.ts';
import { type Answer, send } from '../support/client.ts';
import { token } from '../support/process.ts';

const FILE = '/agent/a1/filesystem/files/counter';
const TENANT = 'acme';

/** One client with one connection of its own, which stays with the worker that took it. */
export class Editor {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #bearer = `Bearer ${token({ tenant: TENANT })}`;

  constructor(url: string) {
    this.#url = url;
  }

  async does(call: string, { json, headers }: Pick<Sent, 'json' | 'headers'> = {}): Promise<Answer> {
    const [method = '', target = ''] = call.split(' ');
    const body = JSON.stringify(json ?? {});
    const typed = { authorization: this.#bearer, 'content-type': 'application/json', ...headers };
    const sending = { method, target, headers: typed, ...(json === undefined ? {} : { body }) };
    return send(this.#url, sending, this.#agent);
  }

  async reads(): Promise<Seen> {
    const answer = await this.does(`GET ${FILE}`);
    if (answer.status !== 200) throw new Error(`reading: ${answer.status} ${answer.text}`);
    const count = Number((answer.body as { content: string }).content.slice('count: '.length));
    return { count, etag: String(answer.headers.etag) };
  }

  close(): void {
    this.#agent.destroy();
  }
}

interface Seen {
  readonly count: number;
  readonly etag: string;
}

/** A way to make the count one more than was seen. Resolves to the status. */
export type Way = (editor: Editor, seen: Seen) => Promise<number>;

const matching = ({ etag }: Seen) => ({ headers: { 'if-match': etag } });
const textOf = (count: number) => `count: ${count}\n`;

/** Every call that changes a file, with If-Match. */
export const CONDITIONAL_WAYS: readonly Way[] = [
  async (editor, seen) =>
    (await editor.does(`PUT ${FILE}`, { json: { content: textOf(seen.count + 1) }, ...matching(seen) })).status,
  async (editor, seen) => {
    const json = {
      operation: 'replace',
      position: 0,
      length: textOf(seen.count).length,
      content: textOf(seen.count + 1),
    };
    return (await editor.does(`PATCH ${FILE}`, { json, ...matching(seen) })).status;
  },
  async (editor, seen) => {
    const edits = [{ old_string: `${seen.count}`, new_string: `${seen.count + 1}` }];
    const call = 'POST /agent/a1/filesystem/operations/edit';
    return (await editor.does(call, { json: { path: '/counter', edits }, ...matching(seen) })).status;
  },
];

/** What a client does that knows nothing of conditions. */
export const CARELESS: Way = async (editor, seen) =>
  (await editor.does(`PUT ${FILE}`, { json: { content: textOf(seen.count + 1) } })).status;

/**
 * Two editors each add one to the count, `rounds` times, by one way after the other. In each round both have read before
 * either writes, so that every round is a conflict; who is refused with 412 reads again.
 * @returns the count at the end, and how often somebody was refused
 */
export async function contend(
  editors: readonly Editor[],
  rounds: number,
  ways: readonly Way[],
): Promise<{ readonly count: number; readonly refused: number }> {
  const [first] = editors;
  if (first === undefined) throw new Error('somebody edits');
  await first.does(`PUT ${FILE}?upsert=true`, { json: { content: textOf(0) } });
  let refused = 0;
  for (let round = 0; round < rounds; round += 1) {
    const way = ways[round % ways.length];
    const seen = await Promise.all(editors.map((editor) => editor.reads()));
    const add = async (editor: Editor, n: number) => {
      let known = seen[n];
      for (let status = 412; status === 412 && known !== undefined; known = await editor.reads()) {
        status = (await way?.(editor, known)) ?? 0;
        if (status === 412) refused += 1;
        else if (status !== 200) throw new Error(`a write was answered ${status}`);
      }
    };
    await Promise.all(editors.map(add));
  }
  return { count: (await first.reads()).count, refused };
}
