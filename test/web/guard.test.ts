import type { WebOptions } from '../../src/web/web.ts';
import { type Internet, type Pages, page, redirect, startInternet } from '../support/internet.ts';
import { read, refused } from './reading.ts';

const opened: Internet[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function internet(pages: Pages): Promise<Internet> {
  const started = await startInternet(pages);
  opened.push(started);
  return started;
}

describe('the guard', () => {
  it('stands before every way to say an inner address, where a plain fetch gets in', async () => {
    const net = await internet({ '/': page('inner') });
    const reaching = [
      '127.0.0.1',
      'localhost',
      '2130706433',
      '0x7f000001',
      '0177.0.0.1',
      '127.1',
      '0',
      '[::ffff:127.0.0.1]',
    ];
    for (const host of reaching) {
      const url = `http://${host}:${net.port}/`;
      expect([url, await (await fetch(url)).text()]).toEqual([url, 'inner']);
      expect(await refused({}, url)).toMatch(/^forbidden: .* leads to no public address/);
    }
    expect(net.asked).toHaveLength(reaching.length);
  });

  it.each([
    '10.0.0.1',
    '169.254.169.254',
    '192.168.0.1',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '[::1]',
    '[fd00:ec2::254]',
    '[fe80::1]',
    '[64:ff9b::a00:1]',
    '[2002:a00:1::1]',
    '[::a00:1]',
  ])('refuses %s', async (host) => {
    expect(await refused({}, `http://${host}/`)).toMatch(/^forbidden: /);
  });

  it('judges where names lead, all of it, and says the same of every one', async () => {
    const names: Record<string, readonly string[]> = {
      inner: ['10.0.0.1'],
      both: ['1.1.1.1', '10.0.0.1'],
      six: ['2606:4700::1111', '::1'],
      mapped: ['::ffff:127.0.0.1'],
      none: [],
    };
    const resolve = async (host: string) => names[host] ?? [];
    for (const host of Object.keys(names)) {
      const sentence = `forbidden: ${host} leads to no public address; only the public internet is reached from here`;
      expect(await refused({ resolve }, `http://${host}/`)).toBe(sentence);
    }
  });

  it('judges every redirect as if it had been asked for', async () => {
    const inner = await internet({ '/': page('inner') });
    const net = await internet({
      '/in': redirect(`http://127.0.0.1:${inner.port}/`),
      '/name': redirect(`http://localhost:${inner.port}/`),
      '/meta': redirect('http://169.254.169.254/latest/meta-data/'),
      '/file': redirect('file:///etc/passwd'),
      '/login': redirect('http://me:secret@files.example/'),
      '/mail': redirect('http://files.example:25/'),
      '/nowhere': (_req, res) => void res.writeHead(302).end(),
    });
    for (const path of ['/in', '/name', '/meta'])
      expect(await refused(net.options, net.url(path))).toMatch(/^forbidden: /);
    for (const path of ['/file', '/login', '/mail', '/nowhere']) {
      expect(await refused(net.options, net.url(path))).toMatch(/^invalid_request: /);
    }
    // Without the guard the same redirect arrives.
    expect(await (await fetch(`http://127.0.0.1:${net.port}/in`)).text()).toBe('inner');
    expect(inner.asked).toEqual(['/']);
  });

  it('connects to the address that it judged: a name that leads elsewhere a moment later is not asked again', async () => {
    const net = await internet({ '/': page('first') });
    const inner = await internet({ '/': page('inner') });
    let lookUps = 0;
    const rebinding: WebOptions = {
      isAllowed: (address) => address === '127.0.0.1',
      resolve: async () => {
        lookUps += 1;
        return lookUps === 1 ? ['127.0.0.1'] : ['127.0.0.2'];
      },
    };
    expect(await read(rebinding, net.url('/'))).toBe('first');
    expect(lookUps).toBe(1);
    expect(await refused(rebinding, inner.url('/'))).toMatch(/^forbidden: /);
    expect([lookUps, inner.asked]).toEqual([2, []]);
  });

  it('lets an address in the URL through where it is allowed, and looks nothing up', async () => {
    const net = await internet({ '/': page('there') });
    const resolve = () => Promise.reject(new Error('was looked up'));
    expect(await read({ ...net.options, resolve }, net.url('/', '127.0.0.1'))).toBe('there');
    expect(await refused({ ...net.options, resolve }, 'http://127.0.0.1/')).toMatch(/^forbidden: /);
  });

  it('tries the next address of a host where the first does not answer', async () => {
    const net = await internet({ '/': page('second') });
    const resolve = async () => ['127.0.0.9', '127.0.0.1'];
    expect(await read({ isAllowed: () => true, resolve }, net.url('/'))).toBe('second');
  });
});

describe('a URL', () => {
  it.each([
    ['ftp://files.example/a', 'http:// or https://'],
    ['file:///etc/passwd', 'http:// or https://'],
    ['//files.example/a', 'http:// or https://'],
    ['data:text/plain,a', 'http:// or https://'],
    ['', 'http:// or https://'],
    ['http://me@files.example/', 'user name or password'],
    ['http://:secret@files.example/', 'user name or password'],
    ['http://files.example:22/', 'port 22'],
    ['https://files.example:587/', 'port 587'],
  ])('%s is refused before anything is looked up', async (url, words) => {
    const resolve = () => Promise.reject(new Error('was looked up'));
    expect(await refused({ resolve }, url)).toMatch(new RegExp(`^invalid_request: .*${words}`));
  });
});
