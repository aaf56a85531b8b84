import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import jsonwebtoken from 'jsonwebtoken';
import pino from 'pino';
import { makeApiKey } from '../../src/auth/api-key.ts';
import { type Bearer, type JwtRules, openBearer } from '../../src/auth/bearer.ts';
import type { Grant } from '../../src/auth/grant.ts';
import { makeToken } from '../../src/auth/token.ts';
import { at, careless, claims, ecPair, es256, forge, hs256, NOW, pemOf, rs256, rsaPair, SECRET } from './forge.ts';
import { refused } from './refused.ts';

const LOCAL: JwtRules = { secret: SECRET, publicKey: null, jwksUrl: null, issuer: null, audience: null };
const log = pino({ level: 'silent' });

function bearer(
  change: Partial<JwtRules> = {},
  keys: (secret: string) => Promise<Grant | null> = async () => null,
): Bearer {
  return openBearer({ jwt: { ...LOCAL, ...change }, keys, clock: () => NOW, log });
}

/** Shows both halves of a safety test: the token is refused here, and it is one a careless check would take. */
async function refusesWhatOthersTake(guarded: Bearer, token: string, careless: () => unknown): Promise<void> {
  expect(careless()).toMatchObject({ tenant: 'acme' });
  await refused('unauthenticated', () => guarded.authenticate(token));
}

describe('a token of the local secret', () => {
  it('stands for its tenant, subject, scopes, agent, user and expiry', async () => {
    const grant = await bearer().authenticate(
      hs256(claims({ agent: 'a1', user: 'u1', scope: 'files:read runs:read' })),
    );
    expect(grant).toEqual({
      tenant: 'acme',
      subject: 'ann',
      scopes: new Set(['files:read', 'runs:read']),
      agent: 'a1',
      user: 'u1',
      expiresAt: new Date(at(3600) * 1000),
    });
  });

  it('is what makeToken makes', async () => {
    const token = makeToken(SECRET, { tenant: 'acme', scope: 'admin', issuer: 'us', audience: 'them' }, 60, () => NOW);
    const grant = await bearer({ issuer: 'us', audience: 'them' }).authenticate(token);
    expect(grant).toMatchObject({ tenant: 'acme', subject: 'cli', agent: null, user: null });
    expect(grant.expiresAt).toEqual(new Date(at(60) * 1000));
    expect([...grant.scopes]).toEqual(['admin']);
  });

  it('is refused when signed with another secret, cut, or changed', async () => {
    const good = hs256(claims());
    const [header, , signature] = good.split('.');
    const other = Buffer.from(JSON.stringify(claims({ tenant: 'other' }))).toString('base64url');
    const bad = [
      hs256(claims(), `${SECRET}!`),
      good.slice(0, -2),
      `${header}.${other}.${signature}`,
      `${header}..`,
      'x',
      '..',
    ];
    for (const token of bad) await refused('unauthenticated', () => bearer().authenticate(token));
  });
});

describe('the algorithm', () => {
  const rsa = rsaPair();
  const pem = pemOf(rsa.publicKey);

  it('is never "none", in any spelling', async () => {
    for (const alg of ['none', 'None', 'NONE']) {
      const token = forge({ alg }, claims(), () => '');
      await refusesWhatOthersTake(bearer(), token, () => careless(token, () => SECRET));
      await refused('unauthenticated', () => bearer({ publicKey: pem }).authenticate(token));
    }
    for (const alg of ['', null, undefined, 0, ['HS256'], { alg: 'HS256' }]) {
      await refused('unauthenticated', () => bearer().authenticate(hs256(claims(), SECRET, { alg })));
    }
  });

  it('is not HS256 where a public key verifies: its PEM is no secret', async () => {
    const token = hs256(claims(), pem);
    await refusesWhatOthersTake(bearer({ publicKey: pem }), token, () => careless(token, () => pem));
  });

  it('is not HS256 with the local secret either, once a public key verifies', async () => {
    const token = hs256(claims());
    await refusesWhatOthersTake(bearer({ publicKey: pem }), token, () =>
      jsonwebtoken.verify(token, SECRET, { ignoreExpiration: true }),
    );
  });

  it('is one of the fixed list and not what jsonwebtoken takes without a list', async () => {
    const hs512 = jsonwebtoken.sign(claims(), SECRET, { algorithm: 'HS512', noTimestamp: true });
    await refusesWhatOthersTake(bearer(), hs512, () => jsonwebtoken.verify(hs512, SECRET, { ignoreExpiration: true }));
    const rs512 = jsonwebtoken.sign(claims(), rsa.privateKey, { algorithm: 'RS512', noTimestamp: true });
    await refusesWhatOthersTake(bearer({ publicKey: pem }), rs512, () =>
      jsonwebtoken.verify(rs512, pem, { ignoreExpiration: true }),
    );
  });

  it('is RS256 with an RSA key and ES256 with a P-256 key', async () => {
    const ec = ecPair();
    const [byRsa, byEc] = [bearer({ publicKey: pem }), bearer({ publicKey: pemOf(ec.publicKey) })];
    expect(await byRsa.authenticate(rs256(claims(), rsa.privateKey))).toMatchObject({ tenant: 'acme' });
    expect(await byEc.authenticate(es256(claims(), ec.privateKey))).toMatchObject({ tenant: 'acme' });
    await refused('unauthenticated', () => byRsa.authenticate(es256(claims(), ec.privateKey)));
    await refused('unauthenticated', () => byRsa.authenticate(rs256(claims(), rsaPair().privateKey)));
  });
});

describe('the header of a token', () => {
  it('brings no key: jwk, jku, x5u and x5c are not read', async () => {
    const mine = rsaPair();
    const theirs = rsaPair();
    const jwk = mine.publicKey.export({ format: 'jwk' });
    const url = 'http://127.0.0.1:9/keys';
    const token = rs256(claims(), mine.privateKey, { jwk, jku: url, x5u: url, x5c: [pemOf(mine.publicKey)] });
    await refusesWhatOthersTake(bearer({ publicKey: pemOf(theirs.publicKey) }), token, () =>
      careless(token, (header) => createPublicKey({ key: header.jwk as JsonWebKey, format: 'jwk' })),
    );
    // The same header on an honest token changes nothing
    const honest = rs256(claims(), theirs.privateKey, { jwk, jku: url, x5u: url });
    expect(await bearer({ publicKey: pemOf(theirs.publicKey) }).authenticate(honest)).toMatchObject({ tenant: 'acme' });
  });

  it('has a kid that names no file: it is not even read with a local secret', async () => {
    // The attack: a key read from /dev/null is empty, and the attacker signs with the empty key
    const kid = '../../../../../../../../dev/null';
    const token = hs256(claims(), '', { kid });
    await refusesWhatOthersTake(bearer(), token, () =>
      careless(token, (header) => readFileSync(join(tmpdir(), 'keys', String(header.kid)), 'utf8')),
    );
    for (const odd of [kid, '/etc/passwd', "' union select 'x", 'a\0b', { a: 1 }, 7]) {
      expect(await bearer().authenticate(hs256(claims(), SECRET, { kid: odd }))).toMatchObject({ tenant: 'acme' });
    }
  });

  it('may not demand extensions', async () => {
    const token = hs256(claims(), SECRET, { crit: ['b64'], b64: false });
    await refusesWhatOthersTake(bearer(), token, () => jsonwebtoken.verify(token, SECRET, { ignoreExpiration: true }));
  });
});

describe('the life of a token', () => {
  it('must be given: exp is required, a finite number, and not further than 366 days away', async () => {
    const day = 24 * 3600;
    for (const exp of [
      undefined,
      null,
      '9999999999',
      'soon',
      at(367 * day),
      9e15,
      Number.MAX_SAFE_INTEGER,
      {},
      [],
      true,
    ]) {
      const token = hs256(claims({ exp }));
      await refused('unauthenticated', () => bearer().authenticate(token));
    }
    expect(await bearer().authenticate(hs256(claims({ exp: at(365 * day) })))).toMatchObject({ tenant: 'acme' });
    const endless = hs256(claims({ exp: undefined }));
    await refusesWhatOthersTake(bearer(), endless, () => jsonwebtoken.verify(endless, SECRET));
  });

  it('ends with exp and begins with nbf, within 5 seconds', async () => {
    await refused('unauthenticated', () => bearer().authenticate(hs256(claims({ exp: at(-6) }))));
    await refused('unauthenticated', () => bearer().authenticate(hs256(claims({ nbf: at(6) }))));
    await refused('unauthenticated', () => bearer().authenticate(hs256(claims({ nbf: 'now' }))));
    expect(await bearer().authenticate(hs256(claims({ nbf: at(4) })))).toMatchObject({ tenant: 'acme' });
  });

  it('is believed without checking again only until exp', async () => {
    let now = NOW;
    const { authenticate } = openBearer({ jwt: LOCAL, keys: async () => null, clock: () => now, log });
    const token = hs256(claims({ exp: at(60) }));
    const first = await authenticate(token);
    now = new Date(NOW.getTime() + 59_000);
    expect(await authenticate(token)).toBe(first);
    now = new Date(NOW.getTime() + 66_000);
    await refused('unauthenticated', () => authenticate(token));
  });

  it('ends at 8 KiB of text', async () => {
    const long = (length: number) => hs256(claims({ padding: 'x'.repeat(length) }));
    expect(await bearer().authenticate(long(5000))).toMatchObject({ tenant: 'acme' });
    const token = long(9000);
    await refusesWhatOthersTake(bearer(), token, () => jsonwebtoken.verify(token, SECRET, { ignoreExpiration: true }));
  });
});

describe('issuer and audience', () => {
  it('are demanded where they are configured', async () => {
    const strict = bearer({ issuer: 'https://issuer.example', audience: 'workspaced' });
    const good = { iss: 'https://issuer.example', aud: ['other', 'workspaced'] };
    expect(await strict.authenticate(hs256(claims(good)))).toMatchObject({ tenant: 'acme' });
    for (const change of [{ iss: undefined }, { iss: 'https://evil.example' }, { aud: undefined }, { aud: 'other' }]) {
      await refused('unauthenticated', () => strict.authenticate(hs256(claims({ ...good, ...change }))));
    }
  });
});

describe('an API key', () => {
  it('is looked up by its text, and refused when nobody knows it', async () => {
    const { secret } = makeApiKey();
    const grant = await bearer().authenticate(hs256(claims()));
    const withKeys = bearer({}, async (text) => (text === secret ? grant : null));
    expect(await withKeys.authenticate(secret)).toBe(grant);
    await refused('unauthenticated', () => withKeys.authenticate(makeApiKey().secret));
  });

  it('is never parsed as a token, and a token never looked up as a key', async () => {
    const looked: string[] = [];
    const counting = bearer({}, async (text) => {
      looked.push(text);
      return null;
    });
    const { secret } = makeApiKey();
    for (const text of [secret, hs256(claims()), `${secret}0`, secret.toUpperCase()]) {
      await counting.authenticate(text).catch(() => null);
    }
    expect(looked).toEqual([secret]);
  });
});
