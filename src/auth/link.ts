import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { FsError } from '../errors.ts';
import { type ObjectId, parseObjectId, parseTenantId, type TenantId } from '../ids.ts';
import type { Grant, UploadTerms } from './grant.ts';

/** A key of signed URLs. The id is public: every link names it, so that an old key can be kept while its links live. */
export interface SigningKey {
  readonly id: string;
  readonly secret: string;
}

/** Lets its bearer read (GET, HEAD) the bytes of one object. */
export interface DownloadClaim {
  readonly kind: 'download';
  readonly tenant: TenantId;
  readonly object: ObjectId;
}

/** Lets its bearer send (PUT) the bytes of one object, under exactly these terms. */
export interface UploadClaim extends UploadTerms {
  readonly kind: 'upload';
  readonly tenant: TenantId;
}

/** What a link lets its bearer do. */
export type LinkClaim = DownloadClaim | UploadClaim;

export type VerifiedLink = LinkClaim & { readonly expiresAt: Date };

export interface Links {
  /**
   * The token that makes `path` serve the claim until `expiresAt`. `path` is signed byte for byte as the URL will have
   * it: from the first slash to before the `?`.
   */
  sign(path: string, claim: LinkClaim, expiresAt: Date): string;
  /**
   * @param method of the request; HEAD reads, so it is a GET
   * @param path as the request line has it, before any decoding
   * @throws forbidden unless exactly this token was made for exactly this path and a method of its kind, expired
   */
  verify(method: string, path: string, token: string): VerifiedLink;
}

// Sealed in front of everything else: which scheme this is, and the method its links are good for.
const SCHEME = 'workspaced link 1';
const METHOD = { download: 'GET', upload: 'PUT' } as const satisfies Record<LinkClaim['kind'], string>;

const TOKEN = /^([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]{1,1024})\.([A-Za-z0-9_-]{43})$/;

/** The first key signs, all verify. @param keys at least one */
export function openLinks(keys: readonly SigningKey[], clock: Clock): Links {
  const [signing] = keys;
  if (signing === undefined) throw new FsError('invalid_request', 'signed links need at least one signing key');
  const byId = new Map(keys.map((key) => [key.id, key]));
  return {
    sign(path, claim, expiresAt) {
      const body = encodeBody(claim, expiresAt);
      return `${signing.id}.${body}.${seal(signing, METHOD[claim.kind], path, body)}`;
    },
    verify(method, path, token) {
      const [, id = '', body = '', mac = ''] = TOKEN.exec(token) ?? [];
      const key = byId.get(id);
      // Compared as text: base64url has several spellings of the same bytes, and only ours counts
      const sealed = method === 'HEAD' ? 'GET' : method;
      if (key === undefined || !sameText(seal(key, sealed, path, body), mac)) throw refused();
      const link = decodeBody(body);
      if (clock() >= link.expiresAt) throw new FsError('expired', 'this link has expired; ask for a new one');
      return link;
    },
  };
}

/**
 * The grant of a link's bearer: reading files of its tenant, of which the caller opens the link's object alone; or filling one
 * slot, and nothing else.
 */
export function grantOfLink(link: VerifiedLink): Grant {
  const { tenant, object, expiresAt } = link;
  const bearer = { tenant, subject: `link:${object}`, agent: null, user: null, expiresAt };
  if (link.kind === 'download') return { ...bearer, scopes: new Set(['files:read']) };
  const { contentType, maxBytes } = link;
  return { ...bearer, scopes: new Set(), upload: { object, contentType, maxBytes } };
}

function seal(key: SigningKey, method: string, path: string, body: string): string {
  // A JSON list: no two different lists read the same, whatever the path holds
  const text = JSON.stringify([SCHEME, method, key.id, path, body]);
  return createHmac('sha256', key.secret).update(text).digest('base64url');
}

function sameText(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function encodeBody(claim: LinkClaim, expiresAt: Date): string {
  const terms = claim.kind === 'upload' ? [claim.contentType, claim.maxBytes] : [];
  const fields = [claim.kind, claim.tenant, claim.object, expiresAt.getTime(), ...terms];
  return Buffer.from(JSON.stringify(fields)).toString('base64url');
}

/** Reads a body whose seal has been checked; what does not parse was sealed by something else that has the key. */
function decodeBody(body: string): VerifiedLink {
  const fields: unknown = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
  if (!Array.isArray(fields)) throw refused();
  const [kind, tenantText, objectText, expires, contentType, maxBytes] = fields;
  const tenant = parseTenantId(String(tenantText));
  if (tenant === null || typeof expires !== 'number') throw refused();
  const link = { tenant, object: parseObjectId(String(objectText)), expiresAt: new Date(expires) };
  if (kind === 'download') return { kind, ...link };
  if (kind !== 'upload' || typeof contentType !== 'string' || typeof maxBytes !== 'number') throw refused();
  return { kind, ...link, contentType, maxBytes };
}

function refused(): FsError {
  return new FsError('forbidden', 'this link is not valid: it was changed, or made for something else');
}
