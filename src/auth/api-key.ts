import { createHash, randomBytes } from 'node:crypto';

const ID_BYTES = 8;
const SECRET_BYTES = 32;
const API_KEY = /^wsk_[0-9a-f]{16}_[0-9a-f]{64}$/;

/** A new API key: `secret` is `wsk_<id>_<256 random bits>` and shown once; only `hash` is ever stored. */
export function makeApiKey(): { readonly id: string; readonly secret: string; readonly hash: string } {
  const id = randomBytes(ID_BYTES).toString('hex');
  const secret = `wsk_${id}_${randomBytes(SECRET_BYTES).toString('hex')}`;
  return { id, secret, hash: hashApiKey(secret) };
}

/** What is stored of a key, in hex. One sha256 is enough: nobody guesses 256 random bits, however fast the hash. */
export function hashApiKey(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** True for text of the form of a key, so that a JWT is never looked up as one and a key never parsed as a JWT. */
export function looksLikeApiKey(text: string): boolean {
  return API_KEY.test(text);
}
