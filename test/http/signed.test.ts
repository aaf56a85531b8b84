import request from 'supertest';
import { parseObjectId, parseTenantId, type TenantId } from '../../src/ids.ts';
import { type Frame, route, startFrame } from './frame.ts';

const ACME: TenantId =
  parseTenantId('acme') ??
  (() => {
    throw new Error('a tenant id');
  })();
const PATH = '/signed/files/f1';
let frame: Frame;

beforeAll(async () => {
  frame = await startFrame({
    routes: [
      route({
        method: 'GET',
        path: '/signed/files/:id',
        name: 'own.signed',
        access: 'signed',
        handle: async (call) => ({
          status: 200,
          json: { id: call.param('id'), tenant: call.grant.tenant, scopes: [...call.grant.scopes] },
        }),
      }),
      route({
        method: 'PUT',
        path: '/signed/files/:id',
        access: 'signed',
        handle: async (call) => ({ status: 200, json: { upload: call.grant.upload, scopes: [...call.grant.scopes] } }),
      }),
    ],
  });
});
afterAll(() => frame.close());

const sign = (path = PATH, seconds = 60) =>
  frame.links.sign(
    path,
    { kind: 'download', tenant: ACME, object: parseObjectId('f1') },
    new Date(Date.now() + seconds * 1000),
  );

const signUpload = () => {
  const terms = { object: parseObjectId('f1'), contentType: 'text/csv', maxBytes: 9 };
  return frame.links.sign(PATH, { kind: 'upload', tenant: ACME, ...terms }, new Date(Date.now() + 60_000));
};

describe('a signed link', () => {
  it('needs no other credential, and takes none into account', async () => {
    const plain = await request(frame.url).get(`${PATH}?token=${sign()}`);
    expect([plain.status, plain.body]).toEqual([200, { id: 'f1', tenant: 'acme', scopes: ['files:read'] }]);
    const other = await request(frame.url).get(`${PATH}?token=${sign()}`).set(frame.as('globex'));
    expect(other.body.tenant).toBe('acme');
    expect(plain.headers).toMatchObject({ 'cache-control': 'private, no-store', 'referrer-policy': 'no-referrer' });
    expect((await request(frame.url).head(`${PATH}?token=${sign()}`)).status).toBe(200);
  });

  it('to upload is good for PUT alone, tells its terms and no scope, and leaves nothing in the log', async () => {
    const token = signUpload();
    const answer = await request(frame.url).put(`${PATH}?token=${token}`).set('Authorization', 'Bearer wrong');
    const upload = { object: 'f1', contentType: 'text/csv', maxBytes: 9 };
    expect([answer.status, answer.body]).toEqual([200, { upload, scopes: [] }]);
    expect((await request(frame.url).get(`${PATH}?token=${token}`)).status).toBe(403);
    expect((await request(frame.url).put(`${PATH}?token=${token}x`)).status).toBe(403);
    expect(JSON.stringify(frame.lines())).not.toContain(token);
  });

  it('is 403 expired once its time is over', async () => {
    const answer = await request(frame.url).get(`${PATH}?token=${sign(PATH, -1)}`);
    expect([answer.status, answer.body.code]).toEqual([403, 'expired']);
  });

  it('is good for nothing when anything in it is changed', async () => {
    const token = sign();
    const last = token.at(-1) === 'A' ? 'B' : 'A';
    for (const target of [
      PATH,
      `${PATH}?token=`,
      `${PATH}?token=${token}&token=${token}`,
      `${PATH}?token=${token}&a=1`,
      `${PATH}?a=1&token=${token}`,
      `${PATH}?token=${token}&`,
      `${PATH}?&token=${token}`,
      `${PATH}?token=${token}?`,
      `${PATH}?Token=${token}`,
      `${PATH}?token=${token.replace('.', '%2e')}`,
      `${PATH}?token=${token}=`,
      `${PATH}?token=${token.slice(0, -1)}${last}`,
      `/signed/files/f2?token=${token}`,
      `/signed/files/%661?token=${token}`,
      `/signed/files/f1/?token=${token}`,
      `/Signed/files/f1?token=${token}`,
      `//signed/files/f1?token=${token}`,
      `/signed/files/f1?token=${sign('/signed/files/f2')}`,
    ]) {
      const { status } = await request(frame.url).get(target).set(frame.as('acme'));
      expect([target, status >= 400 && status < 500]).toEqual([target, true]);
    }
    expect((await request(frame.url).put(`${PATH}?token=${token}`)).status).toBe(403);
  });

  it('never appears in the log, also where the path is mistyped', async () => {
    const token = sign();
    await request(frame.url).get(`${PATH}?token=${token}`);
    await request(frame.url).get(`/Signed/files/f1?token=${token}`);
    await request(frame.url).get(`${PATH}?token=${token}`).set(frame.as('acme'));
    const text = JSON.stringify(frame.lines());
    expect(text).toContain('"route":"own.signed"');
    expect(text).not.toContain(token);
    expect(text).not.toContain('Bearer');
  });
});

describe('the log', () => {
  it('has one line for each request, with who asked', async () => {
    await request(frame.url).get(`${PATH}?token=${sign()}`).set('X-Request-Id', 'line-1');
    const lines = frame.lines().filter((line) => line.requestId === 'line-1');
    expect(lines).toEqual([
      expect.objectContaining({
        route: 'own.signed',
        method: 'GET',
        path: PATH,
        status: 200,
        bytesIn: 0,
        bytesOut: expect.any(Number),
        ms: expect.any(Number),
        tenant: 'acme',
        subject: 'link:f1',
      }),
    ]);
  });

  it('takes no request id that could forge a line', async () => {
    const answer = await request(frame.url).get('/nowhere').set('X-Request-Id', 'a b"},{');
    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });
});
