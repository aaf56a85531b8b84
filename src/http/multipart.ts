import type { IncomingHttpHeaders } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import type { Request, Response } from 'express';
import multer from 'multer';
import { FsError, toFsError } from '../errors.ts';
import type { Form, ReceivePart, UploadedPart } from './call.ts';
import { demandHarmless, snakeCase } from './decode.ts';

/** The multipart request: its headers, and its body once it is wanted. */
export interface FormSource {
  readonly headers: IncomingHttpHeaders;
  body(): Readable;
}

const MAX_FIELDS = 100;
const MAX_FIELD_BYTES = 64 * 1024;
const MAX_FIELD_NAME = 256;
const MAX_HEADER_PAIRS = 32;
// RFC 2046 5.1.1.
const MAX_BOUNDARY = 70;
// Many small parts come in one chunk of the network; this many of them are written at the same time.
const PARTS_AT_ONCE = 8;

/**
 * Reads a multipart body to its end. Each file part goes to `receive` as its bytes arrive, so memory stays flat however
 * many there are; parts keep their order. When anything fails, the rest of the body is left unread, every `receive` has
 * settled before the error is thrown, and what they staged is the caller's to discard.
 * @throws invalid_request, unsupported (no multipart body), and what `receive` throws
 */
export async function readForm(
  source: FormSource,
  receive: ReceivePart,
  limits: { readonly maxParts: number },
): Promise<Form> {
  demandMultipart(source.headers['content-type'] ?? '');
  const body = source.body();
  const state = openReception(receive, limits.maxParts);
  const broken = new Promise<never>((_, reject) => {
    state.onFailure((error) => {
      reject(error);
      body.destroy();
    });
  });
  body.once('error', (error) => state.fail(toFsError(error)));
  try {
    await Promise.race([runMulter(source.headers, body, state, limits.maxParts), broken]);
    return { fields: state.fields, parts: state.parts };
  } catch (error) {
    body.destroy();
    await state.settled();
    throw error;
  }
}

/** @throws unsupported, invalid_request */
function demandMultipart(contentType: string): void {
  if (!/^multipart\/form-data\s*(;|$)/i.test(contentType)) {
    throw new FsError('unsupported', 'this call takes a form: send it as Content-Type: multipart/form-data');
  }
  const boundary = boundaryOf(contentType) ?? '';
  if (boundary !== '' && boundary.length <= MAX_BOUNDARY) return;
  throw new FsError(
    'invalid_request',
    `the Content-Type of a form needs a boundary of 1 to ${MAX_BOUNDARY} characters`,
  );
}

/** What divides the parts of a form; null where the type is no form or names none. */
export function boundaryOf(contentType: string): string | null {
  if (!/^multipart\/form-data\s*;/i.test(contentType)) return null;
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]*)"|([^\s;]*))/i.exec(contentType) ?? [];
  return quoted ?? plain ?? null;
}

interface Reception {
  readonly parts: UploadedPart[];
  readonly fields: Record<string, string>;
  /** Takes a file part; resolves when it is staged. */
  take(stream: Readable, part: Omit<UploadedPart, 'staged'>): Promise<void>;
  fail(error: FsError): void;
  onFailure(told: (error: FsError) => void): void;
  settled(): Promise<unknown>;
}

function openReception(receive: ReceivePart, maxParts: number): Reception {
  const parts: UploadedPart[] = [];
  const fields: Record<string, string> = Object.create(null);
  const works: Promise<void>[] = [];
  const told: ((error: FsError) => void)[] = [];
  let failure: FsError | null = null;
  let places = 0;
  const fail = (error: FsError) => {
    if (failure !== null) return;
    failure = error;
    for (const tell of told) tell(error);
  };
  const stage = async (stream: Readable, part: Omit<UploadedPart, 'staged'>, place: number) => {
    // In turns: part n waits for part n - 8, whose bytes came before its own.
    await works[place - PARTS_AT_ONCE];
    if (failure !== null) throw failure;
    const { field, filename } = part;
    parts[place] = { ...part, staged: await receive(stream, { field, filename, fields }) };
  };
  return {
    parts,
    fields,
    fail,
    take(stream, part) {
      if (places === maxParts) return Promise.reject(tooManyParts(maxParts));
      const work = stage(stream, part, places);
      places += 1;
      works.push(work.catch((error: unknown) => fail(toFsError(error))));
      return work;
    },
    onFailure: (tell) => void told.push(tell),
    settled: () => Promise.allSettled(works),
  };
}

function tooManyParts(maxParts: number): FsError {
  return new FsError(
    'invalid_request',
    `the form has too many parts; ${maxParts} files and ${MAX_FIELDS} fields are taken`,
  );
}

function runMulter(headers: IncomingHttpHeaders, body: Readable, state: Reception, maxParts: number): Promise<void> {
  const read = multer({
    storage: {
      _handleFile(_req, file, done) {
        const part = { field: file.fieldname, filename: file.originalname, contentType: file.mimetype };
        state.take(file.stream, part).then(() => done(null, {}), done);
      },
      // What was staged belongs to the caller of readForm, who alone knows what else hangs on it.
      _removeFile: (_req, _file, done) => done(null),
    },
    limits: {
      fields: MAX_FIELDS,
      files: maxParts,
      parts: maxParts + MAX_FIELDS,
      fieldSize: MAX_FIELD_BYTES,
      fieldNameSize: MAX_FIELD_NAME,
      fieldNestingDepth: 0,
      headerPairs: MAX_HEADER_PAIRS,
    },
    preservePath: true,
    defParamCharset: 'utf8',
    streamHandler: (req: Readable, parser: Writable) => {
      watchParser(parser, state, maxParts);
      req.pipe(parser);
    },
  } as multer.Options).any();
  return new Promise((resolve, reject) => {
    // Multer asks of a request that it is a stream with headers. On an error it reads the request to its end, however
    // long that takes, so it gets the detached body, which readForm destroys at the first failure.
    const request = Object.assign(body, { headers }) as unknown as Request;
    read(request, {} as Response, (error: unknown) => (error === undefined ? resolve() : reject(refusalOf(error))));
  });
}

interface PartInfo {
  readonly filename?: string;
  readonly mimeType: string;
  readonly valueTruncated?: boolean;
}

/** Hears of what is wrong as soon as the parser does; multer would say so after the whole body. */
function watchParser(parser: Writable, state: Reception, maxParts: number): void {
  const refuse = (sentence: string) => state.fail(new FsError('invalid_request', sentence));
  parser.on('file', (_name: string, _stream: Readable, { filename }: PartInfo) => {
    if (filename === undefined || filename === '') refuse('a file in the form has no name; give its part a filename');
  });
  parser.on('field', (name: string | undefined, value: string, info: PartInfo) => {
    try {
      addField(state.fields, name ?? '', value, info);
    } catch (error) {
      state.fail(toFsError(error));
    }
  });
  for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'])
    parser.on(limit, () => state.fail(tooManyParts(maxParts)));
  parser.on('error', (error) => state.fail(refusalOf(error)));
}

function addField(fields: Record<string, string>, written: string, value: string, info: PartInfo): void {
  const name = snakeCase(written);
  demandHarmless(name);
  const refused = (why: string) =>
    new FsError('invalid_request', `the form field "${written.slice(0, MAX_FIELD_NAME)}" ${why}`);
  if (name === '' || name.length > MAX_FIELD_NAME) throw refused(`needs a name of 1 to ${MAX_FIELD_NAME} characters`);
  if (name.includes('[')) throw refused('may not have brackets in its name');
  if (info.valueTruncated === true) throw refused(`is longer than ${MAX_FIELD_BYTES} bytes`);
  // The parser takes a part with `filename=""` for a field; its type gives it away.
  if (!/^(text\/|application\/json)/.test(info.mimeType))
    throw refused('is a file without a name; give its part a filename');
  if (name in fields) throw refused('is given twice');
  fields[name] = value;
}

function refusalOf(error: unknown): FsError {
  if (error instanceof FsError) return error;
  const words = error instanceof Error ? error.message : '';
  const known = [
    'Unexpected end of form',
    'Malformed part header',
    'Malformed content type',
    'Unsupported content type',
  ];
  const why = known.find((text) => words.startsWith(text)) ?? 'it cannot be parsed';
  return new FsError(
    'invalid_request',
    `the form is broken: ${why}; it must be complete multipart/form-data`,
    {},
    error,
  );
}
