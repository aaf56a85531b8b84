import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { FsError } from '../errors.ts';
import { type ObjectId, parseObjectId, parseTenantId, type TenantId } from '../ids.ts';
import type { Grant } from './grant.ts';

/** A key of signed URLs. The id is public: every link names it, so that an old key can be kept while its links live. */
export interface SigningKey {
  readonly id: string;
  readonly secret: string;
}

/** What a link lets its bearer do: read (GET, HEAD) the bytes of one object. */
export interface LinkClaim {
  readonly kind: 'download';
  readonly tenant: TenantId;
  readonly object: ObjectId;
}

export interface VerifiedLink extends LinkClaim {
  readonly expiresAt: Date;
}

export interface Links {
  /**
   * The token that makes `path` serve the claim until `expiresAt`. `path` is signed byte for byte as the URL will have
   * it: from the first slash to before the `?`.
   */
  sign(path: string, claim: LinkClaim, expiresAt: Date): string;
  /**
   * @param path as the request line has it, before any decoding
   * @throws forbidden unless exactly this token was made for exactly this path, expired
   */
  verify(path: string, token: string): VerifiedLink;
}

// Sealed in front of everything else: which scheme this is, and the methods its links are good for (HEAD is a GET).
const SCHEME = ['workspaced link 1', 'GET'] as const;

const TOKEN = /^([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]{1,512})\.([A-Za-z0-9_-]{43})$/;

/** The first key signs, all verify. @param keys at least one */
export function openLinks(keys: readonly SigningKey[], clock: Clock): Links {
  const [signing] = keys;
  if (signing === undefined) throw new FsError('invalid_request', 'signed links need at least one signing key');
  const byId = new Map(keys.map((key) => [key.id, key]));
  return {
    sign(path, claim, expiresAt) {
      const body = encodeBody(claim, expiresAt);
      return `${signing.id}.${body}.${seal(signing, path, body)}`;
    },
    verify(path, token) {
      const [, id = '', body = '', mac = ''] = TOKEN.exec(token) ?? [];
      const key = byId.get(id);
      // Compared as text: base64url has several spellings of the same bytes, and only ours counts
      if (key === undefined || !sameText(seal(key, path, body), mac)) throw refused();
      const link = decodeBody(body);
      if (clock() >= link.expiresAt) throw new FsError('expired', 'this link has expired; ask for a new one');
      return link;
    },
  };
}

/** The grant of a link's bearer: reading files of its tenant. The caller opens the link's object with it alone. */
export function grantOfLink(link: VerifiedLink): Grant {
  return {
    tenant: link.tenant,
    subject: `link:${link.object}`,
    scopes: new Set(['files:read']),
    agent: null,
    user: null,
    expiresAt: link.expiresAt,
  };
}

function seal(key: SigningKey, path: string, body: string): string {
  // A JSON list: no two different lists read the same, whatever the path holds
  const text = JSON.stringify([...SCHEME, key.id, path, body]);
  return createHmac('sha256', key.secret).update(text).digest('base64url');
}

function sameText(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function encodeBody(claim: LinkClaim, expiresAt: Date): string {
  const fields = [claim.kind, claim.tenant, claim.object, expiresAt.getTime()];
  return Buffer.from(JSON.stringify(fields)).toString('base64url');
}

/** Reads a body whose seal has been checked; what does not parse was sealed by something else that has the key. */
function decodeBody(body: string): VerifiedLink {
  const fields: unknown = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
  if (!Array.isArray(fields)) throw refused();
  const [kind, tenantText, object, expires] = fields;
  const tenant = parseTenantId(String(tenantText));
  if (kind !== 'download' || tenant === null || typeof expires !== 'number') throw refused();
  return { kind, tenant, object: parseObjectId(String(object)), expiresAt: new Date(expires) };
}

function refused(): FsError {
  return new FsError('forbidden', 'this link is not valid: it was changed, or made for something else');
}
