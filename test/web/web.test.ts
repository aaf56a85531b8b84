import { createServer, type Server } from 'node:net';
import { FsError } from '../../src/errors.ts';
import { openWeb, type WebOptions } from '../../src/web/web.ts';
import { selfSigned } from '../support/certificate.ts';
import { failure } from '../support/core.ts';
import { type Internet, type Pages, page, redirect, startInternet } from '../support/internet.ts';
import { until } from '../support/wait.ts';
import { patient, read, refused } from './reading.ts';

const opened: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function internet(pages: Pages, ...rest: [ReturnType<typeof selfSigned>?]): Promise<Internet> {
  const started = await startInternet(pages, ...rest);
  opened.push(started);
  return started;
}

/** A server of bytes that are no matter what a request says. */
async function wire(answer: string): Promise<{ readonly port: number; readonly options: WebOptions }> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push({ close: () => void server.close() });
  const { port } = server.address() as { port: number };
  return { port, options: { isAllowed: (_, asked) => asked === port, resolve: async () => ['127.0.0.1'] } };
}

describe('a file of the web', () => {
  it('comes as it is, asked for plainly', async () => {
    let headers = {};
    const net = await internet({
      '/a.csv': (req, res) => {
        headers = req.headers;
        page('1,2', { 'set-cookie': 'a=b' })(req, res);
      },
    });
    expect(await read(net.options, net.url('/a.csv?b=c#d'))).toBe('1,2');
    expect(net.asked).toEqual(['/a.csv?b=c']);
    const host = `files.example:${net.port}`;
    expect(headers).toEqual({
      host,
      connection: 'keep-alive',
      'user-agent': 'workspaced',
      accept: '*/*',
      'accept-encoding': 'identity',
    });
  });

  it('says how long it is, where the server does', async () => {
    const net = await internet({
      '/told': page('12345', { 'content-length': '5' }),
      '/untold': (_req, res) => {
        res.write('1');
        res.end('2345');
      },
    });
    const lengthOf = (path: string) =>
      openWeb(net.options).get(net.url(path), patient, async ({ body, bytes }) => [
        bytes,
        (await body.toArray()).join(''),
      ]);
    expect(await lengthOf('/told')).toEqual([5, '12345']);
    expect(await lengthOf('/untold')).toEqual([null, '12345']);
  });

  it('is found behind five redirects of any kind, not behind six', async () => {
    const hops = Object.fromEntries(
      [301, 302, 303, 307, 308, 302].map((status, n) => [`/${n}`, redirect(`${n + 1}`, status)]),
    );
    const net = await internet({ ...hops, '/6': page('found') });
    expect(await read(net.options, net.url('/1'))).toBe('found');
    expect(await refused(net.options, net.url('/0'))).toMatch(/^invalid_request: .* more than 5 times/);
  });

  it('ignores proxies that the environment names', async () => {
    const net = await internet({ '/a': page('direct') });
    const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'NODE_USE_ENV_PROXY'];
    for (const name of names) process.env[name] = name.startsWith('NODE') ? '1' : 'http://127.0.0.1:9';
    try {
      expect(await read(net.options, net.url('/a'))).toBe('direct');
    } finally {
      for (const name of names) delete process.env[name];
    }
  });

  it('is taken over TLS from whoever proves to be the host, and from nobody else', async () => {
    const certificate = selfSigned('files.example');
    const net = await internet({ '/a': page('secret'), '/down': redirect('http://files.example/a') }, certificate);
    const trusting = { ...net.options, ca: certificate.cert };
    expect(await read(trusting, net.url('/a'))).toBe('secret');
    expect(await refused(net.options, net.url('/a'))).toMatch(/^invalid_request: .* certificate is not valid$/);
    expect(await refused(trusting, net.url('/a', 'other.example'))).toMatch(
      /^invalid_request: .* certificate is not valid$/,
    );
    expect(await refused(trusting, net.url('/down'))).toMatch(/^invalid_request: .* from https to http/);
    expect(net.asked).toEqual(['/a', '/down']);
  });
});

describe('a server', () => {
  it.each([
    [204, 'invalid_request'],
    [206, 'invalid_request'],
    [304, 'invalid_request'],
    [404, 'invalid_request'],
    [401, 'invalid_request'],
    [429, 'unavailable'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ])('that answers %i has no file: %s', async (status, code) => {
    const net = await internet({
      '/': (_req, res) => void res.writeHead(status).end(status === 204 || status === 304 ? '' : 'x'),
    });
    expect(await refused(net.options, net.url('/'))).toMatch(new RegExp(`^${code}: .*answered ${status}`));
  });

  it('that compresses what was asked for plainly is refused, unread', async () => {
    const net = await internet({ '/': page('not gzip at all', { 'content-encoding': 'gzip' }) });
    expect(await refused(net.options, net.url('/'))).toMatch(/^invalid_request: .* sends the file encoded/);
  });

  it.each([
    ['sends less than it said', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123', 'unavailable'],
    ['breaks off in a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123', 'unavailable'],
    ['hangs up', '', 'unavailable'],
    ['speaks no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', 'invalid_request'],
    ['has no end of headers', `HTTP/1.1 200 OK\r\n${'A: some text\r\n'.repeat(4000)}\r\n`, 'invalid_request'],
    ['gives two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12', 'invalid_request'],
  ])('that %s gives no file', async (_, answer, code) => {
    const { port, options } = await wire(answer);
    expect(await refused(options, `http://files.example:${port}/`)).toMatch(new RegExp(`^${code}: `));
  });

  it('that nobody listens at is unavailable', async () => {
    const net = await internet({});
    await net.close();
    expect(await refused(net.options, net.url('/'))).toMatch(/^unavailable: the connection to files\.example/);
  });

  const limits = { connectMs: 5000, idleMs: 5000, totalMs: 5000, messageMs: 5000 };
  it.each([
    ['says nothing', { ...limits, idleMs: 100 }, () => undefined, 'stopped answering'],
    [
      'stops in the middle',
      { ...limits, idleMs: 100 },
      (_req: unknown, res: NodeJS.WritableStream) => void res.write('x'),
      'stopped answering',
    ],
    ['never comes to an end', { ...limits, totalMs: 300 }, endless, 'took too long'],
  ])('that %s is given up', async (_, patience, served, words) => {
    const net = await internet({ '/': served });
    expect(await refused({ ...net.options, patience }, net.url('/'))).toMatch(new RegExp(`^unavailable: .*${words}`));
  });

  it('is left at once by a client that goes away, also while its name is being looked up', async () => {
    const net = await internet({ '/': endless });
    for (const options of [net.options, { ...net.options, resolve: () => new Promise<never>(() => undefined) }]) {
      const gone = new AbortController();
      const reading = failure(read(options, net.url('/'), gone.signal));
      if (options === net.options) await until(() => net.asked.length === 1, 'a request');
      gone.abort();
      expect(await reading).toMatchObject({ name: 'AbortError' });
    }
  });

  it('hears nothing more once the file was taken or refused', async () => {
    let closed = 0;
    const net = await internet({
      '/': (req, res) => {
        req.socket.once('close', () => (closed += 1));
        endless(req, res);
      },
    });
    const refuse = () => Promise.reject(new FsError('quota_exceeded', 'full'));
    expect(await failure(openWeb(net.options).get(net.url('/'), patient, refuse))).toMatchObject({
      code: 'quota_exceeded',
    });
    await until(() => closed === 1, 'the end of the connection');
  });
});

/** Sends a little, again and again. */
function endless(
  _req: unknown,
  res: NodeJS.WritableStream & { on(event: 'close', listener: () => void): unknown },
): void {
  const timer = setInterval(() => res.write('x'), 20);
  res.on('close', () => clearInterval(timer));
}
