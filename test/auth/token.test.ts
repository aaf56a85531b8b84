import jsonwebtoken from 'jsonwebtoken';
import { makeToken } from '../../src/auth/token.ts';
import { at, NOW, SECRET } from './forge.ts';

describe('makeToken', () => {
  it('claims what it is given and nothing else', () => {
    const bare = jsonwebtoken.decode(makeToken(SECRET, { tenant: 'acme' }, 60, () => NOW));
    expect(bare).toEqual({ sub: 'cli', tenant: 'acme', iat: at(0), exp: at(60) });
    const all = { tenant: 'acme', subject: 's', agent: 'a', user: 'u', scope: 'x y', issuer: 'i', audience: 'd' };
    expect(jsonwebtoken.decode(makeToken(SECRET, all, 60, () => NOW))).toEqual({
      ...{ sub: 's', tenant: 'acme', agent: 'a', user: 'u', scope: 'x y', iss: 'i', aud: 'd' },
      ...{ iat: at(0), exp: at(60) },
    });
  });

  it('signs with HS256 and the secret as it is, also where it looks like a key of another kind', () => {
    const secret = '-----BEGIN PUBLIC KEY-----\nnot really one at all\n-----END PUBLIC KEY-----';
    const token = makeToken(secret, { tenant: 'acme' }, 60, () => NOW);
    const verified = jsonwebtoken.verify(token, Buffer.from(secret), { algorithms: ['HS256'], ignoreExpiration: true });
    expect(verified).toMatchObject({ tenant: 'acme' });
  });
});
