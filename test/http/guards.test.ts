import request from 'supertest';
import { FsError } from '../../src/errors.ts';
import { errorReply, HTTP_STATUS } from '../../src/http/errors.ts';
import type { AppOptions } from '../../src/http/serve.ts';
import { type Frame, route, startFrame } from './frame.ts';

const routes = [
  route({ method: 'GET', path: '/open', handle: async () => ({ status: 200, json: {}, headers: { etag: '"x"' } }) }),
  route({ method: 'GET', path: '/mine', access: 'store:read', handle: async () => ({ status: 200, json: {} }) }),
];

let frame: Frame;
afterEach(() => frame.close());
const start = async (options: Partial<AppOptions>) => {
  frame = await startFrame({ routes, options });
  return request(frame.url);
};

describe('security headers', () => {
  it('are on every answer, also on errors', async () => {
    const daemon = await start({});
    for (const path of ['/open', '/nowhere', '/mine']) {
      const { headers } = await daemon.get(path);
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'content-security-policy': "default-src 'none';frame-ancestors 'none'",
        'cache-control': 'no-store',
        'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      });
      expect(headers['x-powered-by']).toBeUndefined();
    }
  });
});

describe('CORS', () => {
  const ORIGIN = 'https://app.test';
  const preflight = {
    Origin: ORIGIN,
    'Access-Control-Request-Method': 'PUT',
    'Access-Control-Request-Headers': 'authorization,if-match',
  };

  it('is off: no origin is let in', async () => {
    const daemon = await start({});
    expect((await daemon.get('/open').set('Origin', ORIGIN)).headers['access-control-allow-origin']).toBeUndefined();
    const answer = await daemon.options('/open').set(preflight);
    expect(answer.headers['access-control-allow-methods']).toBeUndefined();
  });

  it('lets in the origins that are listed, exactly', async () => {
    const daemon = await start({ corsOrigins: [ORIGIN] });
    const answer = await daemon.get('/open').set('Origin', ORIGIN);
    expect(answer.headers['access-control-allow-origin']).toBe(ORIGIN);
    expect(answer.headers.vary).toContain('Origin');
    for (const name of ['ETag', 'Content-Range', 'Retry-After'])
      expect(answer.headers['access-control-expose-headers']).toContain(name);
    for (const other of ['https://app.test.evil', 'http://app.test', 'null', 'https://APP.test']) {
      const refused = await daemon.get('/open').set('Origin', other);
      expect([other, refused.headers['access-control-allow-origin']]).toEqual([other, undefined]);
    }
    expect((await daemon.get('/mine').set('Origin', ORIGIN)).headers['access-control-allow-origin']).toBe(ORIGIN);
  });

  it('answers the preflight of a listed origin', async () => {
    const daemon = await start({ corsOrigins: [ORIGIN] });
    const answer = await daemon.options('/mine').set(preflight);
    expect(answer.status).toBe(204);
    expect(answer.headers['access-control-allow-methods']).toContain('PUT');
    expect(answer.headers['access-control-allow-headers']).toBe('authorization,if-match');
    expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
  });
});

describe('the rate limit', () => {
  it('counts by credential, says what is left, and refuses with Retry-After', async () => {
    const daemon = await start({ rateLimitPerMinute: 2 });
    const first = await daemon.get('/mine').set(frame.as('acme'));
    expect(first.headers).toMatchObject({
      ratelimit: expect.stringMatching(/^"default";r=1;t=\d+$/),
      'ratelimit-policy': '"default";q=2;w=60',
      'ratelimit-limit': '2',
      'ratelimit-remaining': '1',
    });
    expect((await daemon.get('/mine').set(frame.as('acme'))).headers['ratelimit-remaining']).toBe('0');
    const third = await daemon.get('/mine').set(frame.as('acme'));
    expect([third.status, third.body.code]).toEqual([429, 'rate_limited']);
    expect(Number(third.headers['retry-after'])).toBeGreaterThan(0);
    expect(third.headers.ratelimit).toMatch(/r=0/);
    expect((await daemon.get('/mine').set(frame.as('globex'))).status).toBe(200);
  });

  it('counts bad credentials by address, and public calls not at all', async () => {
    const daemon = await start({ rateLimitPerMinute: 2 });
    const statuses: number[] = [];
    for (let n = 0; n < 3; n += 1)
      statuses.push((await daemon.get('/mine').set('Authorization', `Bearer guess-${n}`)).status);
    expect(statuses).toEqual([401, 401, 429]);
    for (let n = 0; n < 5; n += 1) expect((await daemon.get('/open')).status).toBe(200);
  });

  it('is off by default', async () => {
    const daemon = await start({});
    expect((await daemon.get('/mine').set(frame.as('acme'))).headers.ratelimit).toBeUndefined();
  });
});

describe('an error of a dialect with its own shape', () => {
  it('has that status and that body', async () => {
    frame = await startFrame({
      routes: [
        route({
          method: 'GET',
          path: '/x',
          name: 'own.get',
          handle: () => Promise.reject(new FsError('not_found', 'gone', { path: 'x' })),
        }),
      ],
      dialect: {
        statuses: (name) => (name === 'own.get' ? { not_found: 410 } : undefined),
        errorBody: (error) => ({ oops: error.code }),
      },
    });
    const answer = await request(frame.url).get('/x');
    expect([answer.status, answer.body]).toEqual([410, { oops: 'not_found' }]);
  });

  it('otherwise has those of the contract, with the facts a client can act on', () => {
    const full = new FsError('quota_exceeded', 'full', {
      path: 'caf\udce9',
      used: 1,
      limit: 2,
      requested: 3,
      unit: 'bytes',
      retryAfterSeconds: 0.2,
    });
    const reply = errorReply(full, null, null);
    expect(reply.status).toBe(507);
    expect(reply.headers['retry-after']).toBe('1');
    expect(reply.body).toMatchObject({
      status: 507,
      code: 'quota_exceeded',
      path: 'caf\ufffd',
      used: 1,
      limit: 2,
      requested: 3,
      unit: 'bytes',
    });
    expect(HTTP_STATUS).toMatchObject({
      expired: 403,
      not_empty: 409,
      pending_upload: 409,
      precondition_failed: 412,
      unsupported: 415,
    });
  });

  it('counts refusals for lack of room', async () => {
    frame = await startFrame({
      routes: [
        route({ method: 'PUT', path: '/x', handle: () => Promise.reject(new FsError('quota_exceeded', 'full')) }),
      ],
    });
    await request(frame.url).put('/x');
    expect((await frame.metrics.text()).text).toContain('workspaced_quota_refusals_total 1');
  });
});
