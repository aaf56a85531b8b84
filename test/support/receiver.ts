import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { WebOptions } from '../../src/web/web.ts';
import { selfSigned } from './certificate.ts';
import { startInternet } from './internet.ts';

export const HOOK_SECRET = 'a-secret-of-sixteen-and-more';

/** A message as it reached the receiver, whatever it was answered. */
export interface Message {
  readonly event: {
    readonly id: string;
    readonly type: string;
    readonly created_at: string;
    readonly tenant: string;
    readonly data: Readonly<Record<string, unknown>>;
  };
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
  /** Whether it is signed with this secret. */
  isSignedWith(secret: string): boolean;
}

/** Answers a message: by its status, or by saying nothing at all. */
export type Answering = (message: Message) => number | 'silence';

/** A webhook's other end: a real HTTPS server, `hooks.example`, that stands for one of the public internet. */
export interface Receiver {
  readonly url: string;
  readonly messages: readonly Message[];
  /** Those that were answered 200. */
  readonly received: readonly Message[];
  /** By default 200. */
  answer: Answering;
  /** For `openWeb`: `hooks.example` leads here, and a message is given up after a while. */
  readonly web: WebOptions;
  close(): Promise<void>;
}

export async function startReceiver(messageMs: number): Promise<Receiver> {
  const certificate = selfSigned('hooks.example');
  const messages: Message[] = [];
  const received: Message[] = [];
  const receiver: { answer: Answering } = { answer: () => 200 };
  const take = async (req: IncomingMessage, res: ServerResponse) => {
    const body = await text(req);
    const message = { event: JSON.parse(body), body, headers: req.headers, isSignedWith: signedWith(req, body) };
    messages.push(message);
    const status = receiver.answer(message);
    if (status === 'silence') return;
    if (status === 200) received.push(message);
    res.writeHead(status).end('heard');
  };
  const net = await startInternet(
    { '/hook': (req, res) => void take(req, res).catch(() => res.destroy()) },
    certificate,
  );
  const patience = { connectMs: 5000, idleMs: 5000, totalMs: 5000, messageMs };
  return Object.assign(receiver, {
    url: net.url('/hook', 'hooks.example'),
    messages,
    received,
    web: { ...net.options, ca: certificate.cert, patience },
    close: net.close,
  });
}

/** As docs/webhooks.md tells receivers to verify. */
function signedWith({ headers }: IncomingMessage, body: string): (secret: string) => boolean {
  const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['x-workspaced-signature'])) ?? [];
  return (secret) => v1 === createHmac('sha256', secret).update(`${t}.${body}`).digest('hex');
}
