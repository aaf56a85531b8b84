/**
 * A client that costs little: prepared requests over kept-alive sockets, one at a time on each, answers read for their
 * status and length alone. On a machine with few cores a richer client would be most of what is measured.
 */
import { connect, type Socket } from 'node:net';

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface Load extends Target {
  readonly connections: number;
  readonly seconds: number;
  /** The n-th request, whole, as bytes on the wire. */
  readonly request: (n: number) => Buffer;
}

export const head = (method: string, path: string, headers: Readonly<Record<string, string>>): string =>
  [
    `${method} ${path} HTTP/1.1`,
    ...Object.entries({ host: 'bench', ...headers }).map((pair) => pair.join(': ')),
    '',
    '',
  ].join('\r\n');

/** Answers per second. @throws Error on the first answer that is not 2xx */
export async function perSecond(load: Load): Promise<number> {
  const began = performance.now();
  const until = began + load.seconds * 1000;
  let sent = 0;
  let answered = 0;
  const lane = async () => {
    const socket = await open(load);
    const answers = readAnswers(socket);
    while (performance.now() < until) {
      socket.write(load.request(sent++));
      await answers.next();
      answered += 1;
    }
    socket.destroy();
  };
  await Promise.all(Array.from({ length: load.connections }, lane));
  return answered / ((performance.now() - began) / 1000);
}

/** Bytes per second of one request whose body is `bytes` of zeros, until its answer is there. */
export async function upload(target: Target, request: string, bytes: number): Promise<number> {
  const socket = await open(target);
  const answers = readAnswers(socket);
  const chunk = Buffer.alloc(1 << 20);
  const began = performance.now();
  socket.write(request);
  for (let left = bytes; left > 0; left -= chunk.length) {
    if (!socket.write(chunk.subarray(0, left))) await new Promise((resolve) => socket.once('drain', resolve));
  }
  await answers.next();
  const seconds = (performance.now() - began) / 1000;
  socket.destroy();
  return bytes / seconds;
}

/** Bytes per second of one answer's body. */
export async function download(target: Target, request: string): Promise<number> {
  const socket = await open(target);
  const answers = readAnswers(socket);
  const began = performance.now();
  socket.write(request);
  const { bytes } = await answers.next();
  const seconds = (performance.now() - began) / 1000;
  socket.destroy();
  return bytes / seconds;
}

async function open({ host, port }: Target): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

interface Answer {
  readonly bytes: number;
}

function readAnswers(socket: Socket): { next(): Promise<Answer> } {
  let headers = '';
  let length = 0;
  let left = -1;
  let settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | null = null;
  const end = (outcome: Answer | Error) => {
    const waiting = settle;
    settle = null;
    if (outcome instanceof Error) waiting?.reject(outcome);
    else waiting?.resolve(outcome);
  };
  socket.on('error', end).on('close', () => end(new Error('the server closed the connection')));
  socket.on('data', (chunk) => {
    let body = chunk.length;
    if (left < 0) {
      headers += chunk.toString('latin1');
      const headEnd = headers.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      body = headers.length - headEnd - 4;
      const status = headers.slice(9, 12);
      if (!status.startsWith('2')) return end(new Error(`${status}: ${headers.slice(0, 2000)}`));
      length = Number(/\r\ncontent-length: *(\d+)/i.exec(headers.slice(0, headEnd + 2))?.[1] ?? 0);
      headers = '';
      left = length;
    }
    left -= body;
    if (left > 0) return;
    left = -1;
    end({ bytes: length });
  });
  return { next: () => new Promise((resolve, reject) => (settle = { resolve, reject })) };
}
