import request from 'supertest';
import { z } from 'zod';
import { queryFlag, queryInteger } from '../../src/http/decode.ts';
import { type Frame, raw, route, startFrame } from './frame.ts';

const routes = [
  route({
    method: 'GET',
    path: '/files{/*path}',
    handle: async (call) => ({ status: 200, json: { path: call.path('path') } }),
  }),
  route({
    method: 'GET',
    path: '/dirs{/*path}',
    handle: async (call) => ({ status: 200, json: { path: call.directory('path') } }),
  }),
  route({
    method: 'DELETE',
    path: '/things/:id',
    handle: async (call) => ({ status: 204, empty: true, headers: { 'x-id': call.param('id') } }),
  }),
  route({
    method: 'GET',
    path: '/things/list',
    handle: async () => ({ status: 200, text: 'list', contentType: 'text/plain' }),
  }),
  route({
    method: 'GET',
    path: '/query',
    query: z.object({ n: queryInteger(1, 10).default(5), flag: queryFlag.optional(), q: z.string().optional() }),
    handle: async (call) => ({ status: 200, json: call.query() }),
  }),
  route({
    method: 'GET',
    path: '/tenant',
    access: 'store:read',
    handle: async (call) => ({ status: 200, json: { tenant: call.grant.tenant } }),
  }),
  route({ method: 'GET', path: '/admin', access: 'admin', handle: async () => ({ status: 200, json: {} }) }),
  route({
    method: 'GET',
    path: '/boom',
    handle: () => Promise.reject(new Error('select * from secrets at /srv/data')),
  }),
  route({ method: 'GET', path: '/where', handle: async (call) => ({ status: 200, json: { url: call.publicUrl } }) }),
];

describe('routes', () => {
  let frame: Frame;
  beforeAll(async () => {
    frame = await startFrame({ routes });
  });
  afterAll(() => frame.close());

  const get = (target: string) => raw(frame.port, `GET ${target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);

  it.each([
    ['/files', ''],
    ['/files/', ''],
    ['/files/a/b.txt', 'a/b.txt'],
    ['/files//etc/passwd', 'etc/passwd'],
    ['/files/a%2Fb', 'a/b'],
    ['/files/%252e%252e', '%2e%2e'],
    ['/files/%E2%82%AC', '€'],
    ['/dirs/a/', 'a'],
  ])('reads the path of %s', async (target, path) => {
    const answer = await get(target);
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(JSON.parse(Buffer.from(answer.split('\r\n\r\n')[1] ?? '', 'latin1').toString())).toEqual({ path });
  });

  it.each([
    '/files/../x',
    '/files/a/../../x',
    '/files/%2e%2e/x',
    '/files/..%2fx',
    '/files/a%00b',
    '/files/a/',
    '/files/a//b',
    '/files/%',
    '/files/%ff',
    '/files/%c0%ae',
  ])('refuses %s with 400 invalid_path', async (target) => {
    const answer = await get(target);
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer).toContain('"code":"invalid_path"');
  });

  it('is case-sensitive and strict', async () => {
    expect(await get('/Files/a')).toMatch(/^HTTP\/1.1 404 /);
    expect(await get('/things/list/')).toMatch(/^HTTP\/1.1 404 /);
  });

  it('answers another method of a known path with 405 and what is allowed, from every pattern that matches', async () => {
    const answer = await request(frame.url).post('/things/list');
    expect(answer.status).toBe(405);
    expect(answer.body.code).toBe('method_not_allowed');
    expect(answer.headers.allow?.split(', ').sort()).toEqual(['DELETE', 'GET', 'HEAD', 'OPTIONS']);
    expect((await request(frame.url).options('/things/list')).status).toBe(204);
    expect((await request(frame.url).options('/nowhere')).status).toBe(404);
  });

  it('answers an unknown path with a 404 problem', async () => {
    const answer = await request(frame.url).get('/nowhere');
    expect(answer.status).toBe(404);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.body).toEqual({
      type: 'urn:workspaced:problem:not_found',
      title: 'Not found',
      status: 404,
      detail: answer.body.error,
      code: 'not_found',
      error: expect.stringContaining('/docs'),
    });
  });

  it('answers HEAD as GET without the bytes', async () => {
    const answer = await raw(frame.port, 'HEAD /things/list HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(answer).toMatch(/Content-Length: 4/i);
    expect(answer.endsWith('\r\n\r\n')).toBe(true);
  });

  it('validates the query, refuses repeated parameters and ignores unknown ones', async () => {
    const ok = await request(frame.url).get('/query?n=7&flag=false&q=a+b%2B&other=1');
    expect(ok.body).toEqual({ n: 7, flag: false, q: 'a b+' });
    expect((await request(frame.url).get('/query')).body).toEqual({ n: 5 });
    for (const query of [
      'n=0',
      'n=11',
      'n=x',
      'n=1e1',
      'flag=yes',
      'q=a&q=b',
      'q=%ff',
      'n=1&n=1',
      '__proto__=1&__proto__=2',
    ]) {
      const refused = await request(frame.url).get(`/query?${query}`);
      expect([query, refused.status, refused.body.code]).toEqual([query, 400, 'invalid_request']);
    }
    const named = await request(frame.url).get('/query?n=99');
    expect(named.body.error).toBe('the parameter "n" is not as documented: it is a whole number from 1 to 10');
  });

  it('asks for a credential and for the scope', async () => {
    const none = await request(frame.url).get('/tenant');
    expect([none.status, none.headers['www-authenticate'], none.body.code]).toEqual([401, 'Bearer', 'unauthenticated']);
    const good = await request(frame.url).get('/tenant').set(frame.as('acme'));
    expect(good.body).toEqual({ tenant: 'acme' });
    const lacking = await request(frame.url).get('/admin').set(frame.as('acme'));
    expect([lacking.status, lacking.body.code]).toEqual([403, 'forbidden']);
    const narrow = await request(frame.url).get('/tenant').set(frame.as('acme', 'files:read'));
    expect(narrow.status).toBe(403);
  });

  it('leaks nothing of what broke inside, and logs it', async () => {
    const answer = await request(frame.url).get('/boom').set('X-Request-Id', 'boom-1');
    expect(answer.status).toBe(500);
    expect(JSON.stringify(answer.body)).not.toMatch(/select|srv|Error:/);
    expect(answer.headers['x-request-id']).toBe('boom-1');
    const logged = frame.lines().find((line) => line.requestId === 'boom-1' && line.level === 'error');
    expect(JSON.stringify(logged)).toContain('select * from secrets');
  });

  it('tells where it is by the Host header, unless that is none', async () => {
    const answer = await raw(frame.port, 'GET /where HTTP/1.1\r\nHost: files.test:81\r\nConnection: close\r\n\r\n');
    expect(answer).toContain('{"url":"http://files.test:81"}');
    const odd = await raw(frame.port, 'GET /where HTTP/1.1\r\nHost: a/"onload=x\r\nConnection: close\r\n\r\n');
    expect(odd).toContain(`{"url":"http://localhost:${frame.port}"}`);
  });

  it('takes no forwarding header of a stranger, and those of a proxy that is named', async () => {
    const forwarded = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'files.test' };
    expect((await request(frame.url).get('/where').set(forwarded)).body.url).toBe(frame.url);
    const behind = await startFrame({ routes, options: { trustProxy: ['loopback'] } });
    expect((await request(behind.url).get('/where').set(forwarded)).body.url).toBe('https://files.test');
    await behind.close();
  });
});
