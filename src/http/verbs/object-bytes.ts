import type { Core, FileObject } from '../../core/core.ts';
import { parseObjectId } from '../../ids.ts';
import type { Call, Reply } from '../call.ts';

/** The bytes of the object that the parameter `id` names. @throws not_found, pending_upload, forbidden */
export async function objectBytes(core: Core, call: Call, headers: Readonly<Record<string, string>>): Promise<Reply> {
  const { object, file, place } = await core.objects.open(call.grant, parseObjectId(call.param('id')));
  call.tally.concerns(object);
  return {
    status: 200,
    headers: { ...sunsetOf(object), ...headers },
    file,
    contentType: object.mimeType,
    downloadName: object.filename ?? object.id,
    etag: object.sha256,
    modifiedAt: object.createdAt,
    place,
  };
}

/** When the file will be gone, as RFC 8594 says it: the file object's fields are fixed. None where it stays. */
export function sunsetOf({ expiresAt }: Pick<FileObject, 'expiresAt'>): Readonly<Record<string, string>> {
  return expiresAt === null ? {} : { Sunset: expiresAt.toUTCString() };
}
