import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { FsError } from '../../src/errors.ts';
import { INSIDE_TOO, openWeb, type WebOptions } from '../../src/web/web.ts';
import { selfSigned } from '../support/certificate.ts';
import { failure } from '../support/core.ts';
import { type Internet, type Pages, page, redirect, startInternet } from '../support/internet.ts';
import { patient } from './reading.ts';

const certificate = selfSigned('files.example');
const message = { headers: { 'content-type': 'application/json', 'x-mark': '1' }, body: '{"a":1}' };
const limits = { connectMs: 5000, idleMs: 5000, totalMs: 5000, messageMs: 5000 };

const opened: Internet[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function internet(pages: Pages, secured: boolean): Promise<Internet & { readonly trusting: WebOptions }> {
  const started = await startInternet(pages, ...(secured ? [certificate] : []));
  opened.push(started);
  return { ...started, trusting: { ...started.options, ca: certificate.cert } };
}

const post = (options: WebOptions, url: string, signal = patient) => openWeb(options).post(url, message, signal);

/** The code and the sentence that a message is refused with. */
async function refused(options: WebOptions, url: string): Promise<string> {
  const error = await failure(post(options, url));
  if (!(error instanceof FsError)) throw error;
  return `${error.code}: ${error.message}`;
}

const PRIVATE = [
  '127.0.0.1',
  'localhost',
  'hook.localhost',
  '2130706433',
  '0x7f000001',
  '0177.0.0.1',
  '127.1',
  '0',
  '10.0.0.1',
  '100.64.0.1',
  '169.254.169.254',
  '172.16.0.1',
  '192.168.0.1',
  '224.0.0.1',
  '168.63.129.16',
  '[::]',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '[64:ff9b::a00:1]',
  '[2002:a00:1::1]',
  '[fd00:ec2::254]',
  '[fe80::1]',
];

describe('a message', () => {
  it('goes out whole over TLS, and what comes back is its status', async () => {
    const heard: unknown[] = [];
    const take = async (req: IncomingMessage, res: ServerResponse) => {
      heard.push([req.method, req.url, req.headers, await text(req)]);
      res.writeHead(202).end('thanks');
    };
    const net = await internet({ '/hook': (req, res) => void take(req, res) }, true);
    expect(await post(net.trusting, net.url('/hook?key=1'))).toBe(202);
    const headers = {
      ...{ host: `files.example:${net.port}`, connection: 'keep-alive', 'content-length': '7' },
      ...{ 'user-agent': 'workspaced', 'content-type': 'application/json', 'x-mark': '1' },
    };
    expect(heard).toEqual([['POST', '/hook?key=1', headers, '{"a":1}']]);
    expect(await refused(net.options, net.url('/hook'))).toMatch(/^invalid_request: .* certificate is not valid$/);
  });

  it('is refused every private address, by the text of its URL and again when it is sent, where a plain client gets in', async () => {
    const net = await internet({ '/': page('inner') }, false);
    for (const host of PRIVATE.slice(0, 8)) {
      const url = `http://${host}:${net.port}/`;
      if (host !== 'hook.localhost') expect(await (await fetch(url, { method: 'POST' })).text()).toBe('inner');
      expect(await refused({ plainMessages: true }, url)).toMatch(/^forbidden: .* leads to no public address/);
    }
    expect(net.asked).toHaveLength(7);
    for (const host of PRIVATE) {
      expect(await refused({}, `https://${host}/`)).toMatch(/^forbidden: /);
      expect(() => openWeb().demandPostable(`https://${host}/`)).toThrow(/leads to no public address/);
    }
  });

  it('goes to the address that was judged, though its name led elsewhere before and leads elsewhere after', async () => {
    const net = await internet({ '/': page('public') }, true);
    const inner = await internet({ '/': page('inner') }, true);
    const answers = [['127.0.0.1'], ['10.0.0.1'], ['1.1.1.1', '10.0.0.1'], ['::ffff:10.0.0.1'], []];
    const rebinding = { ...net.trusting, resolve: async () => answers.shift() ?? [] };
    expect(() => openWeb(rebinding).demandPostable(net.url('/'))).not.toThrow();
    expect(await post(rebinding, net.url('/'))).toBe(200);
    while (answers.length > 0) expect(await refused(rebinding, net.url('/'))).toMatch(/^forbidden: /);
    expect([net.asked, inner.asked]).toEqual([['/'], []]);
  });

  it('follows no redirect, where a plain client follows it inside', async () => {
    const inner = await internet({ '/': page('inner') }, false);
    const net = await internet({ '/in': redirect(`http://127.0.0.1:${inner.port}/`, 307) }, false);
    expect(await post({ ...net.options, plainMessages: true }, net.url('/in'))).toBe(307);
    expect(inner.asked).toEqual([]);
    const followed = await fetch(`http://127.0.0.1:${net.port}/in`, { method: 'POST', body: 'x' });
    expect([await followed.text(), inner.asked]).toEqual(['inner', ['/']]);
  });

  it.each([
    ['http://files.example/', 'https://'],
    ['ftp://files.example/', 'http:// or https://'],
    ['files.example', 'http:// or https://'],
    ['https://me:secret@files.example/', 'user name or password'],
    ['https://files.example:25/', 'port 25'],
  ])('to %s is refused before anything is looked up', async (url, words) => {
    const resolve = () => Promise.reject(new Error('was looked up'));
    expect(await refused({ resolve }, url)).toMatch(new RegExp(`^invalid_request: .*${words}`));
    expect(() => openWeb().demandPostable(url)).toThrow(words);
  });

  it('stays inside, over plain http and to localhost, where that is allowed', async () => {
    const net = await internet({ '/': page('inner') }, false);
    for (const host of ['127.0.0.1', 'localhost', 'LOCALHOST']) {
      expect(await post(INSIDE_TOO, `http://${host}:${net.port}/`)).toBe(200);
    }
  });

  it('is given up where no answer comes, and at once by whoever gives up; an answer without end is not read', async () => {
    const endless = (_req: IncomingMessage, res: ServerResponse) => {
      const timer = setInterval(() => res.write(Buffer.alloc(64 * 1024)), 5);
      res.on('close', () => clearInterval(timer));
    };
    const net = await internet({ '/never': () => undefined, '/endless': endless }, true);
    const hurried = { ...net.trusting, patience: { ...limits, messageMs: 300 } };
    expect(await refused(hurried, net.url('/never'))).toMatch(/^unavailable: .* took too long to answer$/);
    expect(await post({ ...net.trusting, patience: limits }, net.url('/endless'))).toBe(200);
    const gone = new AbortController();
    const sending = failure(post({ ...net.trusting, patience: limits }, net.url('/never'), gone.signal));
    gone.abort();
    expect(await sending).toMatchObject({ name: 'AbortError' });
    await net.close();
    expect(await refused(hurried, net.url('/'))).toMatch(/^unavailable: .* failed before there was an answer$/);
  });
});
