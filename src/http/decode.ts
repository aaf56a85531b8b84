import { type ZodError, type ZodType, z } from 'zod';
import { FsError } from '../errors.ts';

/**
 * From what a client wrote to what a handler trusts: JSON bodies and query strings. The rules are the contract's: names of
 * fields and parameters in snake_case or camelCase, no repeated query parameters, unknown fields ignored, and strict UTF-8.
 */

// Deeper than any documented body, and far from what would exhaust the stack.
const MAX_DEPTH = 100;
// More than any documented body, and far from what would exhaust the memory: each is an object, copied and validated.
const MAX_VALUES = 100_000;
const POISONED = new Set(['__proto__', 'constructor', 'prototype']);
// What clients store for themselves: the keys inside are theirs, spelled as they like.
const VERBATIM = 'metadata';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The bytes as text. @throws invalid_request unless they are UTF-8 */
function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new FsError('invalid_request', `${what} is not valid UTF-8`);
  }
}

/** The JSON value in these bytes with its field names in snake_case; `{}` where there are none. @throws invalid_request */
export function parseJson(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return {};
  demandFewValues(bytes);
  const text = decodeUtf8(bytes, 'the JSON body');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // V8's own message quotes the body, which may hold secrets.
    throw new FsError('invalid_request', 'the body is not valid JSON');
  }
  return normaliseKeys(value);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BEFORE_A_VALUE: ReadonlySet<number | undefined> = new Set(Buffer.from(',[{'));

/** Sixty megabytes of `{},` are four gigabytes of objects: they are counted before there are any. @throws invalid_request */
function demandFewValues(bytes: Uint8Array): void {
  let values = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    if (bytes[at] === QUOTE) at = endOfText(bytes, at);
    else if (BEFORE_A_VALUE.has(bytes[at])) values += 1;
    if (values > MAX_VALUES) throw new FsError('invalid_request', `the JSON body has more than ${MAX_VALUES} values`);
  }
}

/** Where the quote is that ends the text begun at `start`. */
function endOfText(bytes: Uint8Array, start: number): number {
  for (let end = bytes.indexOf(QUOTE, start + 1); end >= 0; end = bytes.indexOf(QUOTE, end + 1)) {
    let escapes = 0;
    while (bytes[end - 1 - escapes] === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
  return bytes.length;
}

/** A copy with every field name in snake_case, but for what lies inside `metadata`. @throws invalid_request */
export function normaliseKeys(value: unknown): unknown {
  return copy(value, { depth: 0, verbatim: false });
}

interface Place {
  readonly depth: number;
  readonly verbatim: boolean;
}

function copy(value: unknown, place: Place): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (place.depth === MAX_DEPTH) {
    throw new FsError('invalid_request', `the JSON body is nested deeper than ${MAX_DEPTH} levels`);
  }
  const inside = { depth: place.depth + 1, verbatim: place.verbatim };
  if (Array.isArray(value)) return value.map((item) => copy(item, inside));
  const result: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    const name = place.verbatim ? key : snakeCase(key);
    demandHarmless(name);
    if (Object.hasOwn(result, name)) {
      throw new FsError('invalid_request', `the field "${name}" is given twice, in two spellings`);
    }
    result[name] = copy(item, { ...inside, verbatim: place.verbatim || name === VERBATIM });
  }
  return result;
}

/** `userId` and `user_id` are both `user_id`. */
export function snakeCase(key: string): string {
  return key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
}

/** @throws invalid_request for a name that would reach an object's prototype */
export function demandHarmless(name: string): void {
  if (POISONED.has(name)) throw new FsError('invalid_request', `the name "${name}" is not allowed in a request`);
}

/** The value as the schema's type. @throws invalid_request naming the first field that is wrong */
export function validate(schema: ZodType, value: unknown, what: 'field' | 'parameter'): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new FsError('invalid_request', sentenceOf(result.error, what));
}

function sentenceOf(error: ZodError, what: 'field' | 'parameter'): string {
  const issue = error.issues[0];
  if (issue === undefined) return `a ${what} is not as documented`;
  const name = issue.path.reduce<string>((text, step) => {
    return typeof step === 'number' ? `${text}[${step}]` : text === '' ? String(step) : `${text}.${String(step)}`;
  }, '');
  const words = issue.message
    .replace(/^Invalid input: /, '')
    .replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
  if (name === '') return `the body is not as documented: ${words}`;
  const missing = issue.code === 'invalid_type' && words.endsWith('received undefined');
  return missing ? `the ${what} "${name}" is missing` : `the ${what} "${name}" is not as documented: ${words}`;
}

/**
 * The parameters of a query string, each once, decoded once.
 * @throws invalid_request for one that is repeated or not valid percent-encoded UTF-8
 */
export function parseQuery(search: string): Readonly<Record<string, string>> {
  const query: Record<string, string> = Object.create(null);
  for (const pair of search.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decodeQueryText(equals < 0 ? pair : pair.slice(0, equals));
    if (name in query) throw new FsError('invalid_request', `the query parameter "${name}" is given twice`);
    query[name] = equals < 0 ? '' : decodeQueryText(pair.slice(equals + 1));
  }
  return query;
}

/**
 * The parameters under the names that the schema documents, whichever spelling of one was sent: a filter that is taken for an
 * unknown parameter would show what was to be left out. @throws invalid_request for one that is given in both
 */
export function normaliseQuery(query: Readonly<Record<string, string>>, schema: ZodType): Record<string, string> {
  const documented = new Map(Object.keys(objectOf(schema)?.shape ?? {}).map((name) => [snakeCase(name), name]));
  const result: Record<string, string> = Object.create(null);
  for (const [sent, value] of Object.entries(query)) {
    const name = documented.get(snakeCase(sent)) ?? sent;
    if (name in result) throw new FsError('invalid_request', `the query parameter "${name}" is given twice`);
    result[name] = value;
  }
  return result;
}

/** The object that goes into a schema, also where a transformation makes something else of it; null where none does. */
export function objectOf(schema: ZodType | undefined): z.ZodObject | null {
  if (schema instanceof z.ZodObject) return schema;
  return schema instanceof z.ZodPipe && schema.in instanceof z.ZodObject ? schema.in : null;
}

function decodeQueryText(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new FsError('invalid_request', 'the query string is not valid percent-encoded UTF-8');
  }
}

/** `true` or `false` in a query. */
export const queryFlag = z
  .enum(['true', 'false'], { error: 'it is true or false' })
  .transform((text) => text === 'true')
  .meta({ type: 'boolean' });

/** A whole number from `min` to `max` in a query. */
export function queryInteger(min: number, max: number) {
  return z
    .string()
    .regex(/^-?\d{1,16}$/, { error: `it is a whole number from ${min} to ${max}` })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error: `it is a whole number from ${min} to ${max}` })
    .meta({ type: 'integer', minimum: min, maximum: max });
}

/** The `limit` of a paged list: 1 to `max`, `usual` where it is absent. */
export function queryLimit(usual: number, max: number) {
  return queryInteger(1, max).default(usual);
}

const CURSOR_CHARACTERS = 8192;

/** Text of ours as an opaque cursor. It is not secret and not signed: what it says must be checked again. */
export function encodeCursor(value: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** What `encodeCursor` was given. @throws invalid_request for text that it did not make */
export function decodeCursor(cursor: string): readonly (string | number)[] {
  const refused = new FsError('invalid_request', 'the cursor is not one that a list here gave out');
  if (cursor.length > CURSOR_CHARACTERS || !/^[A-Za-z0-9_-]+$/.test(cursor)) throw refused;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    return z.array(z.union([z.string(), z.number()])).parse(parsed);
  } catch {
    throw refused;
  }
}
