import { Agent } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { type Answer, type FormItem, multipart, send } from '../support/client.ts';
import { type Claims, token } from '../support/process.ts';
import { until } from '../support/wait.ts';

export const TENANT = 'acme';

/** What somebody who sends a request notes of it, by hand: whose it is, how many files it brings, and whether it serves one. */
export interface Note {
  readonly user?: string;
  readonly agent?: string;
  readonly uploads?: number;
  readonly downloads?: number;
}

export interface Sent {
  readonly as?: Omit<Claims, 'tenant'> | 'nobody' | 'stranger';
  readonly json?: unknown;
  readonly form?: readonly FormItem[];
  readonly raw?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  /** True where the daemon leaves a part of the body unread. */
  readonly isLeft?: boolean;
  readonly note?: Note;
}

/** A request and its answer as the client had them; bytes are null where the connection was cut. */
interface Entry extends Note {
  readonly id: string;
  readonly tenant: string | null;
  readonly sent: number | null;
  readonly received: number | null;
}

/** A request as the daemon's log has it. */
export interface Line {
  readonly requestId: string;
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly tenant?: string;
  readonly user?: string;
  readonly agent?: string;
  readonly uploads?: number;
  readonly downloads?: number;
}

/** A daemon whose log can be read. */
export interface Told {
  readonly url: string;
  /** All that it has printed. */
  output(): string;
}

/** Sends requests, each on a connection of its own so that any worker may get it, and keeps book of them. */
export class Book {
  readonly entries: Entry[] = [];
  readonly #daemon: Told;

  constructor(daemon: Told) {
    this.#daemon = daemon;
  }

  /** @throws where the answer is another than expected */
  async sends(call: string, { as, status, isLeft = false, headers = {}, note = {}, ...sent }: Sent): Promise<Answer> {
    const id = `note-${this.entries.length}`;
    const { type, body } = bodyOf(sent);
    const [method = '', target = ''] = call.split(' ');
    const agent = new Agent({ keepAlive: false });
    const credential: Record<string, string> = as === 'nobody' ? {} : { authorization: `Bearer ${bearer(as)}` };
    const typed: Record<string, string> = type === null ? {} : { 'content-type': type };
    const length: Record<string, string> = body === undefined ? {} : { 'content-length': String(body.length) };
    const all = { ...credential, ...typed, ...length, 'x-request-id': id, ...headers };
    const answer = await send(this.#daemon.url, { method, target, headers: all, ...(body ? { body } : {}) }, agent);
    if (answer.status !== status) throw new Error(`${call}: ${answer.status} ${answer.text}`);
    const tenant = as === 'nobody' && !target.startsWith('/signed/') ? null : as === 'stranger' ? 'stranger' : TENANT;
    this.entries.push({
      id,
      tenant,
      sent: isLeft ? null : (body?.length ?? 0),
      received: answer.bytes.length,
      ...note,
    });
    return answer;
  }

  /**
   * Sends what it is given over a socket, and cuts the connection once `enough` says so of what came back, or where that is not
   * to be waited for, once the daemon has read all that was sent.
   */
  async cuts(head: string, body: Buffer, enough: number | null, note: Note = {}): Promise<void> {
    const id = `note-${this.entries.length}`;
    const { hostname, port } = new URL(this.#daemon.url);
    const socket = connect(Number(port), hostname);
    let received = 0;
    socket.on('data', (chunk) => {
      received += chunk.length;
      if (enough !== null && received >= enough) socket.destroy();
    });
    socket.on('error', () => {});
    const lines = [head, 'Host: x', `Authorization: Bearer ${bearer(undefined)}`, `X-Request-Id: ${id}`];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    socket.write(body);
    if (enough === null) {
      await until(() => socket.bytesWritten > 0 && socket.writableLength === 0, 'what was written has left');
      // What has left may still be on its way to the daemon's process; where it is not all read, the log says how much was.
      await wait(50);
      socket.destroy();
    }
    await until(() => socket.destroyed, 'the connection is cut');
    this.entries.push({ id, tenant: TENANT, sent: null, received: null, ...note });
  }

  /** The log's lines of all requests, once they are there. */
  async lines(): Promise<readonly Line[]> {
    const wanted = new Set(this.entries.map(({ id }) => id));
    await until(
      () => linesOf(this.#daemon.output()).filter((line) => wanted.has(line.requestId)).length === wanted.size,
    );
    return linesOf(this.#daemon.output()).filter((line) => wanted.has(line.requestId));
  }
}

function bearer(as: Sent['as']): string {
  if (as === 'stranger') return token({ tenant: 'stranger' });
  return token({ tenant: TENANT, ...(as === undefined || as === 'nobody' ? {} : as) });
}

function bodyOf(sent: Pick<Sent, 'json' | 'form' | 'raw'>): { readonly type: string | null; readonly body?: Buffer } {
  if (sent.json !== undefined) return { type: 'application/json', body: Buffer.from(JSON.stringify(sent.json)) };
  if (sent.form !== undefined) return multipart(sent.form);
  return sent.raw === undefined ? { type: null } : { type: 'application/octet-stream', body: Buffer.from(sent.raw) };
}

function linesOf(output: string): readonly Line[] {
  const requests = output.split('\n').filter((line) => line.includes('"requestId"') && line.endsWith('}'));
  return requests
    .map((line) => JSON.parse(line) as Line & { readonly msg: string })
    .filter(({ msg }) => msg === 'request');
}
