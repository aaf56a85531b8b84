import { createSecretKey } from 'node:crypto';
import jsonwebtoken from 'jsonwebtoken';
import { type Clock, systemClock } from '../clock.ts';

/** What a token made here claims. An absent claim stays absent: see `grantedScopes` for what that means. */
export interface TokenClaims {
  readonly tenant: string;
  /** `sub`; `cli` where absent. */
  readonly subject?: string;
  readonly agent?: string;
  readonly user?: string;
  /** Space-separated. */
  readonly scope?: string;
  readonly issuer?: string;
  readonly audience?: string;
}

/** An HS256 token of the local secret, good for `ttlSeconds` from now. The claims are not checked here. */
export function makeToken(secret: string, claims: TokenClaims, ttlSeconds: number, clock: Clock = systemClock): string {
  const now = Math.floor(clock().getTime() / 1000);
  const { subject = 'cli', issuer, audience, ...own } = claims;
  const payload = {
    sub: subject,
    ...own,
    ...(issuer === undefined ? {} : { iss: issuer }),
    ...(audience === undefined ? {} : { aud: audience }),
    iat: now,
    exp: now + ttlSeconds,
  };
  return jsonwebtoken.sign(payload, createSecretKey(secret, 'utf8'), { algorithm: 'HS256' });
}
