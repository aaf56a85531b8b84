import { createSocket, type Socket } from 'node:dgram';
import { FsError } from '../../src/errors.ts';
import { resolveByDns } from '../../src/web/resolve.ts';
import { failure } from '../support/core.ts';

const A = 1;
const AAAA = 28;
const NO_SUCH_NAME = 3;
const FAILED = 2;
const never = new AbortController().signal;

/** What a question is answered with: addresses as bytes, or the code of a failure; nothing at all for null. */
type Answers = (name: string, type: number) => readonly (readonly number[])[] | number | null;

let server: Socket;
let asked: string[];
let answers: Answers;
let servers: readonly string[];

beforeAll(async () => {
  server = createSocket('udp4');
  server.on('message', (question, from) => {
    const { name, type } = parse(question);
    asked.push(name);
    const answer = answers(name, type);
    if (answer !== null) server.send(encode(question, type, answer), from.port, from.address);
  });
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  servers = [`127.0.0.1:${server.address().port}`];
});
beforeEach(() => {
  asked = [];
});
afterAll(() => void server.close());

function parse(question: Buffer): { readonly name: string; readonly type: number } {
  const labels: string[] = [];
  let at = 12;
  for (; question[at] !== 0; at += 1 + (question[at] ?? 0)) {
    labels.push(question.toString('latin1', at + 1, at + 1 + (question[at] ?? 0)));
  }
  return { name: labels.join('.').toLowerCase(), type: question.readUInt16BE(at + 1) };
}

function encode(question: Buffer, type: number, answer: readonly (readonly number[])[] | number): Buffer {
  const records = typeof answer === 'number' ? [] : answer;
  let end = 12;
  while (question[end] !== 0) end += 1 + (question[end] ?? 0);
  const head = Buffer.from(question.subarray(0, end + 5));
  head.writeUInt16BE(0x8180 | (typeof answer === 'number' ? answer : 0), 2);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt32BE(0, 8);
  const encoded = records.map((address) => [0xc0, 12, 0, type, 0, 1, 0, 0, 0, 9, 0, address.length, ...address]);
  return Buffer.concat([head, ...encoded.map((bytes) => Buffer.from(bytes))]);
}

const V6 = [0x26, 6, 0x47, 0, 0x47, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0x11];

describe('a name', () => {
  it('has all its addresses, of both kinds', async () => {
    answers = (_, type) =>
      type === A
        ? [
            [1, 1, 1, 1],
            [10, 0, 0, 1],
          ]
        : type === AAAA
          ? [V6]
          : [];
    expect(await resolveByDns('files.example', never, servers)).toEqual([
      '1.1.1.1',
      '10.0.0.1',
      '2606:4700:4700::1111',
    ]);
  });

  it('has those of one kind where the other is missing or fails', async () => {
    answers = (_, type) => (type === A ? [[1, 1, 1, 1]] : FAILED);
    expect(await resolveByDns('files.example', never, servers)).toEqual(['1.1.1.1']);
    answers = (_, type) => (type === AAAA ? [V6] : NO_SUCH_NAME);
    expect(await resolveByDns('files.example', never, servers)).toEqual(['2606:4700:4700::1111']);
  });

  it('that nobody has, or that has no address, has none', async () => {
    answers = () => NO_SUCH_NAME;
    expect(await resolveByDns('none.example', never, servers)).toEqual([]);
    answers = () => [];
    expect(await resolveByDns('none.example', never, servers)).toEqual([]);
  });

  it('is asked of the DNS also where this machine knows it', async () => {
    answers = (_, type) => (type === A ? [[1, 1, 1, 1]] : []);
    expect(await resolveByDns('localhost.localdomain', never, servers)).toEqual(['1.1.1.1']);
    expect(asked).toContain('localhost.localdomain');
  });

  it('is unavailable where the DNS fails, and given up with its caller', async () => {
    answers = () => FAILED;
    expect(await failure(resolveByDns('files.example', never, servers))).toMatchObject({ code: 'unavailable' });
    answers = () => null;
    const gone = new AbortController();
    const looking = failure(resolveByDns('files.example', gone.signal, servers));
    gone.abort();
    expect(await looking).toBeInstanceOf(FsError);
  });
});
