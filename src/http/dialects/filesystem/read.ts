import { isUtf8 } from 'node:buffer';
import { addAbortSignal } from 'node:stream';
import fresh from 'fresh';
import type { z } from 'zod';
import type { Core } from '../../../core/core.ts';
import { mimeTypeOf, OCTET_STREAM } from '../../../core/media-type.ts';
import { FsError } from '../../../errors.ts';
import type { Entry } from '../../../tree/entry.ts';
import { display, nameOf } from '../../../tree/path.ts';
import type { OpenFile } from '../../../tree/tree.ts';
import type { Call, Reply, Route } from '../../call.ts';
import { etagOf } from '../../verbs/conditions.ts';
import { lastLines, readLines } from './lines.ts';
import { fileNamed, openToRead } from './target.ts';
import { type ReadQuery, readQuery, readReply, showPath } from './wire.ts';

export function readRoute(core: Core, jsonMaxBytes: number): Route {
  return {
    method: 'GET',
    path: '/files{/*path}',
    name: 'filesystem.read',
    summary:
      'Read a file: as JSON, some lines of it with `offset` and `limit`, the last ones with `tail`, or its bytes with `raw=true` or `Accept: application/octet-stream`.',
    access: 'workspace:read',
    query: readQuery,
    replies: {
      200: { description: 'The content.', schema: readReply },
      400: { description: 'The path is a directory.' },
      404: { description: 'There is no such file or workspace.' },
      413: { description: 'More than JSON carries: read it with `raw=true` or by lines.' },
    },
    handle: async (call) => {
      const query = call.query<ReadQuery>();
      const path = fileNamed(call, query.path_b64);
      const form = formOf(query, query.raw || acceptsBytes(call));
      const file = await (await openToRead(core, call)).open(path);
      call.tally.carries();
      if (form === 'bytes') return bytesReply(file, query.raw);
      if (isFresh(call, file.entry)) return notModified(file);
      if (form === 'lines') return linesReply(file, query, jsonMaxBytes, call.signal);
      return query.tail === undefined
        ? wholeReply(file, query, jsonMaxBytes)
        : tailReply(file, query, query.tail, jsonMaxBytes);
    },
  };
}

/** @throws invalid_request for a mixture of forms */
function formOf(query: ReadQuery, asksBytes: boolean): 'bytes' | 'lines' | 'whole or tail' {
  const asksLines = query.offset !== undefined || query.limit !== undefined;
  if (asksBytes && (asksLines || query.tail !== undefined)) {
    throw new FsError(
      'invalid_request',
      'offset, limit and tail count lines of the JSON form; use a Range header for bytes',
    );
  }
  if (asksLines && query.tail !== undefined) {
    throw new FsError(
      'invalid_request',
      'tail counts lines from the end, offset and limit from the start; ask for one',
    );
  }
  if (asksBytes) return 'bytes';
  return asksLines ? 'lines' : 'whole or tail';
}

function acceptsBytes(call: Call): boolean {
  const types = (call.header('accept') ?? '').split(',').map((part) => part.split(';', 1)[0]?.trim().toLowerCase());
  return types.includes(OCTET_STREAM) && !types.includes('application/json');
}

function bytesReply(file: OpenFile, typed: boolean): Reply {
  const name = display(nameOf(file.entry.path));
  return { status: 200, file, contentType: typed ? mimeTypeOf(name) : OCTET_STREAM, downloadName: name };
}

function isFresh(call: Call, entry: Entry): boolean {
  const known = call.header('if-none-match');
  return known !== null && fresh({ 'if-none-match': known }, { etag: etagOf(entry) });
}

async function notModified(file: OpenFile): Promise<Reply> {
  await file.close();
  return { status: 304, headers: { ETag: etagOf(file.entry) }, empty: true };
}

async function wholeReply(file: OpenFile, query: ReadQuery, maxBytes: number): Promise<Reply> {
  try {
    const { entry } = file;
    if (entry.size > maxBytes) throw tooLarge(entry, maxBytes);
    const bytes = await file.bytes(maxBytes);
    return jsonReply({ ...entry, size: bytes.length }, written(bytes, query.encoding, isUtf8(bytes)));
  } finally {
    await file.close();
  }
}

async function linesReply(file: OpenFile, query: ReadQuery, maxBytes: number, signal: AbortSignal): Promise<Reply> {
  const wanted = { offset: query.offset ?? 1, limit: query.limit ?? Number.MAX_SAFE_INTEGER };
  // A file of nothing but a hole can be read for days: not for a client that went away.
  const lines = await readLines(addAbortSignal(signal, file.stream()), wanted, maxBytes);
  return jsonReply(file.entry, written(lines.content, query.encoding, lines.isText), {
    total_lines: lines.total,
    start_line: lines.start,
    end_line: lines.end,
    ...(lines.end < lines.total && lines.end >= lines.start ? { next_offset: lines.end + 1 } : {}),
  });
}

async function tailReply(file: OpenFile, query: ReadQuery, count: number, maxBytes: number): Promise<Reply> {
  try {
    const bytes = await lastLines(file, count, maxBytes);
    return jsonReply(file.entry, written(bytes, query.encoding, isUtf8(bytes)));
  } finally {
    await file.close();
  }
}

type ReadReply = z.infer<typeof readReply>;
type Content = Pick<ReadReply, 'content' | 'encoding'>;

function jsonReply(entry: Entry, content: Content, lines: Partial<ReadReply> = {}): Reply {
  const json: ReadReply = {
    path: showPath(entry.path),
    ...content,
    size: entry.size,
    modified_at: entry.modifiedAt.toISOString(),
    ...lines,
  };
  return { status: 200, headers: { ETag: etagOf(entry), 'Last-Modified': entry.modifiedAt.toUTCString() }, json };
}

function written(bytes: Buffer, asked: ReadQuery['encoding'], isText: boolean): Content {
  const encoding = isText ? (asked ?? 'utf-8') : 'base64';
  return { content: bytes.toString(encoding), encoding };
}

function tooLarge(entry: Entry, maxBytes: number): FsError {
  return new FsError(
    'too_large',
    `${showPath(entry.path)} has ${entry.size} bytes and JSON carries ${maxBytes} at most; ` +
      'read it with raw=true, or a range of lines with offset and limit',
    { path: entry.path, limit: maxBytes, requested: entry.size },
  );
}
