import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';

/** One answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** The parsed body where it is JSON, else undefined. */
  readonly body: unknown;
}

export interface Sending {
  readonly method: string;
  /** The request target exactly as it goes over the wire: nothing is normalised on the way. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

const connections = new Agent({ keepAlive: true, maxSockets: 16, timeout: 5_000 });

/** Sends one request as it is written and reads the whole answer; over connections of its own where it is given an agent. */
export function send(
  url: string,
  { method, target, headers = {}, body }: Sending,
  agent: Agent = connections,
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, method, path: target, headers, agent }, (incoming) => {
      incoming
        .toArray()
        .then((chunks: Buffer[]) => resolve(answerOf(incoming, Buffer.concat(chunks))))
        .catch(reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function answerOf({ statusCode: status = 0, headers }: IncomingMessage, bytes: Buffer): Answer {
  const text = bytes.toString('utf8');
  const isJson = /json/.test(headers['content-type'] ?? '') && status !== 206;
  return { status, headers, bytes, text, body: isJson && text !== '' ? JSON.parse(text) : undefined };
}

/** One field or file of a form: files have a filename. */
export interface FormItem {
  readonly name: string;
  readonly value: string | Uint8Array;
  readonly filename?: string;
}

/** A multipart body, its items in this order, names as they are (also such as a browser would never send). */
export function multipart(items: readonly FormItem[]): { readonly type: string; readonly body: Buffer } {
  const boundary = '----workspaced-test-boundary';
  const chunks: Buffer[] = [];
  for (const { name, value, filename } of items) {
    const named = filename === undefined ? '' : `; filename="${filename.replace(/["\\]/g, '\\$&')}"`;
    const type = filename === undefined ? '' : 'Content-Type: application/octet-stream\r\n';
    chunks.push(Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${named}\r\n${type}\r\n`));
    chunks.push(Buffer.from(value), Buffer.from('\r\n'));
  }
  chunks.push(Buffer.from(`--${boundary}--\r\n`));
  return { type: `multipart/form-data; boundary=${boundary}`, body: Buffer.concat(chunks) };
}
