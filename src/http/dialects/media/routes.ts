import { allows } from '../../../auth/grant.ts';
import type { Clock } from '../../../clock.ts';
import type { Core, FileObject } from '../../../core/core.ts';
import { FsError } from '../../../errors.ts';
import { parseObjectId } from '../../../ids.ts';
import type { Call, Reply, Route } from '../../call.ts';
import type { Dialect } from '../../dialect.ts';
import { withFormFile } from '../../verbs/form-file.ts';
import { objectBytes, sunsetOf } from '../../verbs/object-bytes.ts';
import {
  configReply,
  type DirectUrl,
  type DocumentHandling,
  decodeName,
  decodeRetention,
  encodeInfo,
  infoReply,
  unixSeconds,
  uploadForm,
  uploadReply,
  urlReply,
} from './wire.ts';

export interface MediaOptions {
  readonly maxFileBytes: number;
  readonly signedUrls: boolean;
  readonly documentHandling: DocumentHandling;
  readonly clock: Clock;
}

/** The routes' surroundings. */
interface Media extends MediaOptions {
  readonly core: Core;
}

const DIRECT_URL_SECONDS = 3600;
const MISSING = { description: 'There is no such file, or it is not yours to see.' };
const PENDING = { description: 'Its bytes have not been uploaded yet.' };

/** Multimodal media: images, sound, video and documents by id, and the text of documents. */
export function mediaDialect(options: MediaOptions): Dialect {
  return {
    name: 'media',
    mounts: ['/media/v1'],
    routes: (core) => {
      const media = { ...options, core };
      return [
        upload(media),
        // Before the bytes of a file: no file has this word for an id.
        { ...config(media, '/files/config'), precedes: 'media.get' },
        config(media, '/config/multimodal'),
        get(media),
        info(media),
        url(media),
      ];
    },
  };
}

function upload(media: Media): Route {
  const { core, maxFileBytes } = media;
  return {
    method: 'POST',
    path: '/files/upload',
    name: 'media.upload',
    summary: 'Upload one file of any type as the part `file`, and get the text of a document with the answer.',
    access: 'files:write',
    form: uploadForm,
    creates: true,
    replies: {
      200: { description: 'The file.', schema: uploadReply },
      400: { description: 'No file, an empty one, or one without a name.' },
      413: { description: 'Larger than allowed; the config call says how large a file may be.' },
      507: { description: 'The quota is used up.' },
    },
    handle: async (call) => {
      // A client that has no name for a Blob sends it as `upload`.
      const file = await withFormFile(
        core,
        call,
        { fields: ['file', 'upload'], maxBytes: maxFileBytes },
        (object, part, form) => {
          if (object.staged.size === 0)
            throw new FsError('invalid_request', 'the file is empty; send one with content');
          return object.keep(call.grant, {
            filename: decodeName(part.filename),
            declaredType: part.contentType,
            purpose: null,
            userId: call.grant.user,
            agentId: call.grant.agent,
            sessionId: null,
            expiresAfterSeconds: decodeRetention(form),
          });
        },
      );
      call.tally.concerns(file);
      call.tally.brought(1);
      const [text, direct] = [await textOf(media, call, file), await directUrl(media, call, file)];
      const data = { ...encodeInfo(file, text, direct), url: bytesUrl(call, file) };
      return answer(media, call, data, 'File uploaded', sunsetOf(file));
    },
  };
}

function get({ core }: Media): Route {
  return {
    method: 'GET',
    path: '/files/:id',
    name: 'media.get',
    summary: 'The bytes of one file; ranges and conditional requests work.',
    access: 'files:read',
    replies: { 200: { description: 'The bytes, with their own content type.' }, 404: MISSING, 409: PENDING },
    handle: (call) => objectBytes(core, call, {}),
  };
}

function info(media: Media): Route {
  return {
    method: 'GET',
    path: '/files/:id/info',
    name: 'media.info',
    summary: 'What is known of one file, with the text of a document, without its bytes.',
    access: 'files:read',
    replies: { 200: { description: 'The file.', schema: infoReply }, 404: MISSING, 409: PENDING },
    handle: async (call) => {
      const file = await fileOf(media, call);
      const [text, direct] = [await textOf(media, call, file), await directUrl(media, call, file)];
      return answer(media, call, encodeInfo(file, text, direct), 'File found', sunsetOf(file));
    },
  };
}

function url(media: Media): Route {
  return {
    method: 'GET',
    path: '/files/:id/url',
    name: 'media.url',
    summary:
      'Where the bytes of one file are: this API, or with MEDIA_SIGNED_URLS a link that needs no credential for an hour.',
    access: 'files:read',
    replies: { 200: { description: 'The URL.', schema: urlReply }, 404: MISSING, 409: PENDING },
    handle: async (call) => {
      const file = await fileOf(media, call);
      const direct = await directUrl(media, call, file);
      const data = {
        file_id: file.id,
        url: direct?.url ?? bytesUrl(call, file),
        expires_at: direct === null ? null : unixSeconds(direct.expiresAt),
        mime_type: file.mimeType,
      };
      return answer(media, call, data, 'URL made');
    },
  };
}

function config(media: Media, path: string): Route {
  return {
    method: 'GET',
    path,
    name: 'media.config',
    summary: 'How large a file may be, and what is done with documents.',
    access: 'files:read',
    replies: { 200: { description: 'The settings.', schema: configReply } },
    handle: async (call) => {
      const data = {
        media_storage_type: 'local',
        // media.md: never a path of the machine.
        media_storage_path: 'objects',
        media_max_size_mb: media.maxFileBytes / 1024 ** 2,
        document_handling: media.documentHandling,
      };
      return answer(media, call, data, 'Settings found');
    },
  };
}

function answer({ clock }: Media, call: Call, data: object, message: string, more: Reply['headers'] = {}): Reply {
  const metadata = { request_id: call.requestId, timestamp: clock().toISOString(), message };
  return { status: 200, headers: { 'Cache-Control': 'private, no-store', ...more }, json: { data, metadata } };
}

async function fileOf({ core }: Media, call: Call): Promise<FileObject> {
  const file = await core.objects.get(call.grant, parseObjectId(call.param('id')));
  call.tally.concerns(file);
  return file;
}

function bytesUrl(call: Call, file: FileObject): string {
  return `${call.publicUrl}/media/v1/files/${file.id}`;
}

/** null also for a credential that may upload but not read: what it put in is no reason to let it out. */
async function textOf({ core, documentHandling }: Media, call: Call, file: FileObject): Promise<string | null> {
  if (documentHandling === 'raw' || !allows(call.grant, 'files:read')) return null;
  return core.texts.of(call.grant, file.id);
}

/** null also for a credential that may not read: a link would let it. */
async function directUrl({ core, signedUrls }: Media, call: Call, file: FileObject): Promise<DirectUrl | null> {
  if (!signedUrls || !allows(call.grant, 'files:read')) return null;
  const { path, expiresAt } = await core.objects.link(call.grant, file.id, DIRECT_URL_SECONDS);
  return { url: `${call.publicUrl}${path}`, expiresAt };
}
