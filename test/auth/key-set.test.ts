import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { type Bearer, openBearer } from '../../src/auth/bearer.ts';
import { claims, ecPair, es256, hs256, NOW, type Pair, pemOf, rs256, rsaPair, SECRET } from './forge.ts';
import { refused } from './refused.ts';

const MINUTE = 60_000;
const log = pino({ level: 'silent' });

/** An issuer of tokens that publishes its keys on loopback, and a clock that the test moves. */
class Issuer {
  keys: unknown = [];
  status = 200;
  headers: Record<string, string> = {};
  asked = 0;
  now = NOW;
  readonly #server: Server = createServer((_, response) => {
    this.asked += 1;
    response.writeHead(this.status, this.headers).end(JSON.stringify({ keys: this.keys }));
  });

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/keys.json`;
  }

  bearer(): Bearer {
    const jwt = { secret: SECRET, publicKey: null, jwksUrl: this.url, issuer: null, audience: null };
    return openBearer({ jwt, keys: async () => null, clock: () => this.now, log });
  }

  later(milliseconds: number): void {
    this.now = new Date(this.now.getTime() + milliseconds);
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

function published(pair: Pair, kid: string | undefined, more: Readonly<Record<string, unknown>> = {}): unknown {
  return { ...pair.publicKey.export({ format: 'jwk' }), use: 'sig', ...(kid === undefined ? {} : { kid }), ...more };
}

describe('tokens of an issuer with a key set', () => {
  const [rsa, ec, stranger] = [rsaPair(), ecPair(), rsaPair()];
  const long = { exp: Math.floor(NOW.getTime() / 1000) + 24 * 3600 };
  let issuer: Issuer;
  let bearer: Bearer;

  beforeEach(async () => {
    issuer = new Issuer();
    await issuer.start();
    issuer.keys = [published(rsa, 'r1'), published(ec, 'e1', { alg: 'ES256' })];
    bearer = issuer.bearer();
  });

  afterEach(() => issuer.stop());

  it('verify by the key their kid names; the set is fetched once', async () => {
    const tokens = [rs256(claims(), rsa.privateKey, { kid: 'r1' }), es256(claims(), ec.privateKey, { kid: 'e1' })];
    const grants = await Promise.all(tokens.map((token) => bearer.authenticate(token)));
    expect(grants.map((grant) => grant.tenant)).toEqual(['acme', 'acme']);
    expect(issuer.asked).toBe(1);
  });

  it('need no kid where the set has one key of their algorithm', async () => {
    expect(await bearer.authenticate(rs256(claims(), rsa.privateKey))).toMatchObject({ tenant: 'acme' });
    issuer.keys = [published(rsa, 'r1'), published(stranger, 'r2')];
    await refused('unauthenticated', () => issuer.bearer().authenticate(rs256(claims(), rsa.privateKey)));
  });

  it('are refused: HS256, another key, a kid of nobody, a kid of a key of another kind', async () => {
    const bad = [
      hs256(claims(), SECRET, { kid: 'r1' }),
      hs256(claims(), pemOf(rsa.publicKey), { kid: 'r1' }),
      rs256(claims(), stranger.privateKey, { kid: 'r1' }),
      rs256(claims(), rsa.privateKey, { kid: 'e1' }),
      rs256(claims(), rsa.privateKey, { kid: '__proto__' }),
      rs256(claims(), rsa.privateKey, { kid: '../keys.json' }),
    ];
    for (const token of bad) await refused('unauthenticated', () => bearer.authenticate(token));
  });

  it('never make the daemon fetch what their header names: jku, x5u and jwk are not read', async () => {
    const evil = new Issuer();
    await evil.start();
    evil.keys = [published(stranger, 'r1')];
    const jwk = stranger.publicKey.export({ format: 'jwk' });
    const token = rs256(claims(), stranger.privateKey, { kid: 'r1', jku: evil.url, x5u: evil.url, jwk });
    // The lure is good: a daemon that trusted this set would take the token
    expect(await evil.bearer().authenticate(token)).toMatchObject({ tenant: 'acme' });
    const before = evil.asked;
    await refused('unauthenticated', () => bearer.authenticate(token));
    expect(evil.asked).toBe(before);
    await evil.stop();
  });

  it('signed by a new key are taken as soon as the set has it, and strangers cause few fetches', async () => {
    await bearer.authenticate(rs256(claims(), rsa.privateKey, { kid: 'r1' }));
    for (let n = 0; n < 50; n += 1) {
      await refused('unauthenticated', () =>
        bearer.authenticate(rs256(claims(), stranger.privateKey, { kid: `x${n}` })),
      );
    }
    expect(issuer.asked).toBe(1);
    issuer.keys = [published(rsa, 'r1'), published(stranger, 'r2')];
    issuer.later(MINUTE);
    expect(await bearer.authenticate(rs256(claims(), stranger.privateKey, { kid: 'r2' }))).toMatchObject({
      subject: 'ann',
    });
    expect(issuer.asked).toBe(2);
  });

  it('end with the key: one withdrawn is refused within 10 minutes, also when verified before', async () => {
    const token = rs256(claims(long), rsa.privateKey, { kid: 'r1' });
    await bearer.authenticate(token);
    issuer.keys = [published(ec, 'e1')];
    issuer.later(9 * MINUTE);
    expect(await bearer.authenticate(token)).toMatchObject({ tenant: 'acme' });
    issuer.later(MINUTE);
    await refused('unauthenticated', () => bearer.authenticate(token));
  });

  it('are verified with the last keys for an hour while the issuer is away, then 503', async () => {
    const fresh = (n: number) => rs256(claims({ ...long, n }), rsa.privateKey, { kid: 'r1' });
    await bearer.authenticate(fresh(1));
    issuer.status = 500;
    issuer.later(60 * MINUTE);
    expect(await bearer.authenticate(fresh(2))).toMatchObject({ tenant: 'acme' });
    issuer.later(10 * MINUTE);
    const error = await refused('unavailable', () => bearer.authenticate(fresh(3)));
    expect(error.detail.retryAfterSeconds).toBeGreaterThan(0);
    issuer.status = 200;
    issuer.later(MINUTE);
    expect(await bearer.authenticate(fresh(3))).toMatchObject({ tenant: 'acme' });
  });

  it('are 503 while the keys cannot be had: an error, a redirect, no key set, one too large', async () => {
    const token = rs256(claims(), rsa.privateKey, { kid: 'r1' });
    const failures: readonly Partial<Issuer>[] = [
      { status: 500 },
      { status: 302, headers: { location: issuer.url } },
      { keys: 'none' },
      { keys: [] },
      { keys: [published(rsa, 'r1', { padding: 'x'.repeat(1024 * 1024) })] },
    ];
    for (const failure of failures) {
      Object.assign(issuer, { status: 200, headers: {}, keys: [published(rsa, 'r1')] }, failure);
      await refused('unavailable', () => issuer.bearer().authenticate(token));
    }
  });

  it('cannot use keys that are too weak, private, shared or of another use', async () => {
    const weak = rsaPair(1024);
    const oct = { kty: 'oct', k: Buffer.from(SECRET).toString('base64url'), kid: 'o1', alg: 'HS256' };
    const secretly = { ...stranger.privateKey.export({ format: 'jwk' }), kid: 'p1', use: 'sig' };
    issuer.keys = [
      published(rsa, 'r1', { use: 'enc' }),
      published(weak, 'w1'),
      oct,
      secretly,
      null,
      7,
      published(ec, 'e1'),
    ];
    const bad = [
      rs256(claims(), rsa.privateKey, { kid: 'r1' }),
      rs256(claims(), weak.privateKey, { kid: 'w1' }),
      rs256(claims(), stranger.privateKey, { kid: 'p1' }),
      hs256(claims(), SECRET, { kid: 'o1' }),
    ];
    for (const token of bad) await refused('unauthenticated', () => bearer.authenticate(token));
    expect(await bearer.authenticate(es256(claims(), ec.privateKey, { kid: 'e1' }))).toMatchObject({ tenant: 'acme' });
  });
});
