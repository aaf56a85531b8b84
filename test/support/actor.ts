import { type Answer, type FormItem, multipart, send } from './client.ts';

/** Somebody who calls the daemon. Reads like prose: `await ann.stores('in/a.csv', '1,2')`. */
export interface Actor {
  /** `does('GET /api/v1/files')`, with JSON, a form or raw bytes. */
  does(call: string, sent?: Sent): Promise<Answer>;
  /** Uploads one file to the store. */
  stores(path: string, content: string | Uint8Array): Promise<Answer>;
  makesAgent(agent: string, more?: object): Promise<Answer>;
  /** Writes a file into a workspace, new or over an old one. */
  writes(agent: string, path: string, content: string | Uint8Array): Promise<Answer>;
  /** What the file of a workspace holds now. */
  reads(agent: string, path: string): Promise<string>;
  /** Uploads a file of `/v1/files`. */
  uploads(filename: string, content: string | Uint8Array, fields?: Readonly<Record<string, string>>): Promise<FileBody>;
  startsRun(agent: string, wanted?: object): Promise<RunBody>;
  finishesRun(run: RunBody, status?: string): Promise<RunBody>;
}

export interface Sent {
  readonly json?: unknown;
  readonly form?: readonly FormItem[];
  readonly raw?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface FileBody {
  readonly id: string;
  readonly [field: string]: unknown;
}

export interface RunBody {
  readonly run_id: string;
  readonly agent_id: string;
  readonly status: string;
  readonly seeded: readonly Readonly<Record<string, unknown>>[];
  readonly outputs: readonly Readonly<Record<string, unknown>>[];
  readonly [field: string]: unknown;
}

/** @param token null for somebody without a credential */
export function actor(url: string, token: string | null): Actor {
  const credential: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  const does = (call: string, sent: Sent = {}) => {
    const space = call.indexOf(' ');
    const { type, body } = bodyOf(sent);
    const typed: Record<string, string> = type === null ? {} : { 'content-type': type };
    return send(url, {
      method: call.slice(0, space),
      target: call.slice(space + 1),
      headers: { ...credential, ...typed, ...lengthOf(body), ...sent.headers },
      ...(body === undefined ? {} : { body }),
    });
  };
  const must = async (status: number, call: string, sent?: Sent) => {
    const answer = await does(call, sent);
    if (answer.status !== status) throw new Error(`${call}: ${answer.status} ${answer.text}`);
    return answer;
  };
  return {
    does,
    stores: (path, content) =>
      must(200, 'POST /api/v1/files/upload', { form: [{ name: 'files', value: content, filename: path }] }),
    makesAgent: (agent, more = {}) => must(201, 'POST /agent', { json: { agent_id: agent, ...more } }),
    writes: (agent, path, content) =>
      must(200, `PUT /agent/${agent}/filesystem/files/${encodeURI(path)}?upsert=true&raw=true`, { raw: content }),
    reads: async (agent, path) =>
      (await must(200, `GET /agent/${agent}/filesystem/files/${encodeURI(path)}?raw=true`)).text,
    uploads: async (filename, content, fields = {}) => {
      const form = [
        ...Object.entries({ userId: 'u1', ...fields }).map(([name, value]) => ({ name, value })),
        { name: 'file', value: content, filename },
      ];
      return (await must(201, 'POST /v1/files', { form })).body as FileBody;
    },
    startsRun: async (agent, wanted = {}) =>
      (await must(201, `POST /agent/${agent}/runs`, { json: wanted })).body as RunBody,
    finishesRun: async (run, status = 'completed') =>
      (await must(200, `POST /agent/${run.agent_id}/runs/${run.run_id}/finish`, { json: { status } })).body as RunBody,
  };
}

function bodyOf(sent: Sent): { readonly type: string | null; readonly body?: Uint8Array | string } {
  if (sent.json !== undefined) return { type: 'application/json', body: JSON.stringify(sent.json) };
  if (sent.form !== undefined) return multipart(sent.form);
  return sent.raw === undefined ? { type: null } : { type: 'application/octet-stream', body: sent.raw };
}

function lengthOf(body: Uint8Array | string | undefined): Record<string, string> {
  return body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
}
