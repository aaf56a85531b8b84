import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { FsError } from '../errors.ts';
import type { SigningKey } from './link.ts';

/** Keeps text that holds secrets in places that others may read, such as a database and its backups. */
export interface Seals {
  /** The text, encrypted: it opens with the same context alone. */
  seal(text: string, context: string): string;
  /** null for what none of the keys sealed with this context. */
  open(sealed: string, context: string): string | null;
}

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PURPOSE = 'workspaced seal 1';

/** The first key seals, all open. @param keys at least one */
export function openSeals(keys: readonly SigningKey[]): Seals {
  const [sealing] = keys;
  if (sealing === undefined) throw new FsError('invalid_request', 'sealing needs at least one signing key');
  return {
    seal: (text, context) => `${sealing.id}.${encrypt(text, derive(sealing, context)).toString('base64')}`,
    open(sealed, context) {
      const dot = sealed.indexOf('.');
      const key = keys.find(({ id }) => id === sealed.slice(0, dot));
      if (key === undefined) return null;
      try {
        return decrypt(Buffer.from(sealed.slice(dot + 1), 'base64'), derive(key, context));
      } catch {
        // Another context, another secret under the same id, or not a seal at all: nothing tells them apart.
        return null;
      }
    },
  };
}

/** Another one for every context, and no key that signs. */
function derive(key: SigningKey, context: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key.secret, context, PURPOSE, KEY_BYTES));
}

function encrypt(text: string, key: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce);
  const bytes = [cipher.update(text, 'utf8'), cipher.final()];
  return Buffer.concat([nonce, cipher.getAuthTag(), ...bytes]);
}

function decrypt(sealed: Buffer, key: Buffer): string {
  const text = NONCE_BYTES + TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(NONCE_BYTES, text));
  return Buffer.concat([decipher.update(sealed.subarray(text)), decipher.final()]).toString('utf8');
}
