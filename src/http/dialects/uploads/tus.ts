import { DataStore, type Locker, Server, Upload as TusUpload } from '@tus/server';
import type { Core, Upload } from '../../../core/core.ts';
import { type ErrorCode, FsError } from '../../../errors.ts';
import { makeUploadId, parseUploadId } from '../../../ids.ts';
import type { Call, Reply } from '../../call.ts';
import { decodeChecksum, decodeTarget, demandShort, resultUrl, whoseOf } from './wire.ts';

/** The largest file each target takes, in bytes. */
export interface UploadLimits {
  readonly store: number;
  readonly workspace: number;
  readonly file: number;
}

export const TUS_VERSION = '1.0.0';
const EXTENSIONS = ['creation', 'creation-with-upload', 'expiration', 'termination', 'checksum'];

const OFFSET_STREAM = 'application/offset+octet-stream';

// What the protocol decides by. The body goes past the library: it would carry it through four more streams.
const HEADERS = [
  'tus-resumable',
  'upload-offset',
  'upload-length',
  'upload-defer-length',
  'upload-metadata',
  'upload-concat',
  'content-type',
  'content-length',
];

const ANSWERED = ['Location', 'Upload-Offset', 'Upload-Length', 'Tus-Resumable', 'Tus-Version', 'Tus-Extension'];

// An upload is locked where it is worked on, among all processes; see core/uploads/upload-turns.ts.
const UNLOCKED: Locker = { newLock: () => ({ lock: async () => undefined, unlock: async () => undefined }) };

/** Answers one request as the tus protocol says, over the uploads that its credential reaches. */
export async function answerTus(core: Core, call: Call, limits: UploadLimits): Promise<Reply> {
  demandProtocol(call);
  const store = new CallStore(core, call, limits);
  const server = new Server({
    path: '/v1/uploads',
    datastore: store,
    locker: UNLOCKED,
    namingFunction: makeUploadId,
    generateUrl: (_request, { id }) => `${call.publicUrl}/v1/uploads/${id}`,
    onResponseError: (_request, error) => {
      throw 'status_code' in error ? refusal(error.status_code, error.body) : error;
    },
  });
  const response = await server.handleWeb(requestOf(call));
  if (response.status >= 400) throw refusal(response.status, await response.text());
  const { headers } = response;
  const answered = ANSWERED.flatMap((name) => (headers.has(name) ? [[name, headers.get(name) ?? '']] : []));
  return { status: response.status, headers: { ...Object.fromEntries(answered), ...store.headers() }, empty: true };
}

/** What the library lets pass, or answers with another status than the protocol has. @throws precondition_failed, unsupported */
function demandProtocol(call: Call): void {
  if (call.method === 'OPTIONS') return;
  if (call.header('tus-resumable') !== TUS_VERSION) {
    throw new FsError('precondition_failed', `this is the tus protocol: send "Tus-Resumable: ${TUS_VERSION}"`);
  }
  if (call.method === 'PATCH' && call.contentType !== OFFSET_STREAM) {
    throw new FsError('unsupported', `a part of an upload has the Content-Type ${OFFSET_STREAM}`);
  }
  const tellsLengthLater = call.method === 'PATCH' && call.header('upload-length') !== null;
  if (tellsLengthLater || call.header('upload-concat') !== null || call.header('upload-defer-length') !== null) {
    const sentence =
      'an upload is whole and says its length at once: Upload-Concat and Upload-Defer-Length are not taken';
    throw new FsError('invalid_request', sentence);
  }
}

type TusRequest = Parameters<Server['handleWeb']>[0];

function requestOf(call: Call): TusRequest {
  const sent = HEADERS.flatMap((name): [string, string][] => {
    const value = call.header(name);
    return value === null ? [] : [[name, value]];
  });
  const id = call.method === 'POST' || call.method === 'OPTIONS' ? '' : `/${parseUploadId(call.param('id'))}`;
  // Only the path counts: where the answer points to is said by `generateUrl`.
  return new Request(`http://uploads/v1/uploads${id}`, { method: call.method, headers: new Headers(sent) });
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  404: 'not_found',
  409: 'conflict',
  410: 'expired',
  413: 'too_large',
};

const NO_METADATA =
  'Upload-Metadata is pairs of a key and a value in base64, with commas between them: "target c3RvcmU=,…"';
const NO_LENGTH = 'Upload-Length is missing, or no whole number: send how many bytes the whole upload has';
const NO_OFFSET = 'Upload-Offset is missing, or no whole number: send at which byte this part begins, as HEAD says';

/** What the library says, by how it begins, and what a client can do about it. */
const SENTENCES: readonly (readonly [string, string])[] = [
  [
    'Upload-Offset conflict',
    'the upload does not go on at this Upload-Offset; ask where it does by HEAD, and send what follows',
  ],
  [
    "upload's size exceeded",
    'this part goes beyond the Upload-Length that the upload was begun with; nothing of it was kept',
  ],
  ['Upload-Offset header required', NO_OFFSET],
  ['Invalid upload-offset', NO_OFFSET],
  ['Upload-Length or', NO_LENGTH],
  ['Invalid upload-length', NO_LENGTH],
  ['Upload-Metadata is invalid', NO_METADATA],
  ['Invalid upload-metadata', NO_METADATA],
];

/** The library's refusals as the program's own. */
function refusal(status: number, text: string): FsError {
  if (status >= 500) return new FsError('internal', 'the upload failed', {}, new Error(text));
  const [, sentence = text.trim()] = SENTENCES.find(([beginning]) => text.startsWith(beginning)) ?? [];
  return new FsError(CODES[status] ?? 'invalid_request', sentence);
}

/** The uploads as the library asks for them, for the length of one call. */
class CallStore extends DataStore {
  override extensions = EXTENSIONS;
  readonly #core: Core;
  readonly #call: Call;
  readonly #limits: UploadLimits;
  /** As it stood when the call was last done with it. */
  #upload: Upload | null = null;

  constructor(core: Core, call: Call, limits: UploadLimits) {
    super();
    this.#core = core;
    this.#call = call;
    this.#limits = limits;
  }

  /** What the library does not say of the upload. */
  headers(): Readonly<Record<string, string>> {
    const upload = this.#upload;
    if (upload === null) return {};
    const result = resultUrl(this.#call.publicUrl, upload);
    const isRead = this.#call.method === 'HEAD';
    return {
      ...(result === null ? { 'Upload-Expires': upload.expiresAt.toUTCString() } : { 'Upload-Result': result }),
      ...(isRead && upload.metadata !== '' ? { 'Upload-Metadata': upload.metadata } : {}),
    };
  }

  override async create(wanted: TusUpload): Promise<TusUpload> {
    const metadata = this.#call.header('upload-metadata') ?? '';
    demandShort(metadata);
    const target = decodeTarget(wanted.metadata ?? {}, this.#call.grant);
    const upload = await this.#core.uploads.create(this.#call.grant, {
      target,
      length: wanted.size ?? 0,
      maxBytes: this.#limits[target.kind],
      metadata,
    });
    this.#done(upload, false);
    wanted.id = upload.id;
    return wanted;
  }

  override async write(unused: NodeJS.ReadableStream, text: string, offset: number): Promise<number> {
    unused.resume();
    const { grant, body, method } = this.#call;
    const id = parseUploadId(text);
    const checksum = decodeChecksum(this.#call.header('upload-checksum'));
    const wasFinished = this.#upload?.isFinished === true;
    try {
      const upload = await this.#core.uploads.append(grant, id, { offset, body, checksum });
      this.#done(upload, wasFinished);
      return upload.offset;
    } catch (error) {
      // Nobody was told of it, so nobody would go on with it.
      if (method === 'POST') await this.#core.uploads.remove(grant, id);
      throw error;
    }
  }

  override async getUpload(text: string): Promise<TusUpload> {
    const { grant, method } = this.#call;
    const id = parseUploadId(text);
    const { uploads } = this.#core;
    let upload = await uploads.get(grant, id);
    const { isFinished } = upload;
    if (method === 'HEAD') upload = await uploads.resume(grant, id);
    this.#done(upload, isFinished);
    return new TusUpload({ id, size: upload.length, offset: upload.offset });
  }

  /** The call is done with the upload so far; with its last byte, or the placing of it, the call has brought a file. */
  #done(upload: Upload, wasFinished: boolean): void {
    this.#upload = upload;
    this.#call.tally.concerns(whoseOf(upload));
    if (upload.isFinished && !wasFinished) this.#call.tally.brought(1);
  }

  override async remove(text: string): Promise<void> {
    await this.#core.uploads.remove(this.#call.grant, parseUploadId(text));
  }
}
