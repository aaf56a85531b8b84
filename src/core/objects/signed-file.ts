import type { ObjectId, TenantId } from '../../ids.ts';
import type { LinkSigner } from '../core-parts.ts';
import type { SignedPath } from './object-types.ts';

/** An object that a link is made for, of the tenant whose it is. */
export interface LinkedFile {
  readonly tenant: TenantId;
  readonly id: ObjectId;
  readonly expiresAt: Date | null;
}

/** A link to the bytes of an object, which works until `wanted` and never longer than the object is there. */
export function signFile(links: LinkSigner, { tenant, id, expiresAt }: LinkedFile, wanted: Date): SignedPath {
  const end = expiresAt !== null && expiresAt < wanted ? expiresAt : wanted;
  const path = `/signed/files/${id}`;
  return { path: `${path}?token=${links.sign(path, { kind: 'download', tenant, object: id }, end)}`, expiresAt: end };
}
