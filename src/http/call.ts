import type { Readable } from 'node:stream';
import type { ZodType } from 'zod';
import type { Grant, Scope } from '../auth/grant.ts';
import type { TreePath } from '../tree/path.ts';
import type { Staged } from '../tree/staging.ts';
import type { OpenFile } from '../tree/tree.ts';
import type { Tally } from './tally.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

/**
 * What a route needs: a scope, any credential where what it is about decides on the scope, a signed link, nothing (public), or
 * the metrics token / loopback.
 */
export type Access = Scope | 'credential' | 'signed' | 'public' | 'metrics';

/** One row of the program's surface. The server routes by it; OpenAPI, the docs and the collision test are made from it. */
export interface Route {
  readonly method: Method;
  /** Express 5 syntax, below the dialect's mounts: `/files{/*path}`. */
  readonly path: string;
  /** The name in the contract tests and the operationId: `store.upload`. */
  readonly name: string;
  readonly summary: string;
  readonly access: Access;
  /** Shapes of what is sent. The server validates `query` and `body` against them before `handle` runs. */
  readonly query?: ZodType;
  readonly body?: ZodType;
  /** For the docs: what kinds of body are taken besides JSON. */
  readonly bodyKinds?: readonly ('json' | 'raw')[];
  /** For the docs: the parts and fields of a form, where one is taken. */
  readonly form?: ZodType;
  /**
   * It makes something: an `Idempotency-Key` makes sure that it does so once. Its handler reads a body it takes to the end before
   * it changes anything.
   */
  readonly creates?: true;
  /** The name of a route with a pattern that fits this path too: this one stands before it in the table, and is taken. */
  readonly precedes?: string;
  readonly replies: Readonly<Record<number, { readonly description: string; readonly schema?: ZodType }>>;
  handle(call: Call): Promise<Reply>;
}

/** A part of a multipart body, already received where `receive` put it. */
export interface UploadedPart {
  readonly field: string;
  /** As the client sent it, read as UTF-8; may hold slashes; '' where the part had none. */
  readonly filename: string;
  /** The part's declared type, or null. */
  readonly contentType: string | null;
  readonly staged: Staged;
}

export interface Form {
  /** By name in snake_case, whichever spelling was sent: `userId` arrives as `user_id`. */
  readonly fields: Readonly<Record<string, string>>;
  readonly parts: readonly UploadedPart[];
}

/** A file part that begins to arrive. */
export interface FormPart {
  /** The name of its field. */
  readonly field: string;
  readonly filename: string;
  /** The fields seen so far: all that came before it, and perhaps some after. */
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * Takes each file part's bytes as they arrive. Throwing refuses the whole form; what other parts staged is then the
 * caller's to discard (`Intake.abort`), and nothing more arrives. Up to 8 run at the same time.
 */
export type ReceivePart = (body: Readable, part: FormPart) => Promise<Staged>;

export interface Conditions {
  /** Entity tags of If-Match without quotes; '*' as the only one means any; null where the header is absent. */
  readonly ifMatch: readonly string[] | null;
  /** True for `If-None-Match: *`. */
  readonly ifNoneMatchAny: boolean;
}

/** One request, as a dialect sees it. */
export interface Call {
  readonly requestId: string;
  /** Present on every route whose access is a scope or `signed`. */
  readonly grant: Grant;
  readonly method: Method;
  /** A route parameter, decoded once. */
  param(name: string): string;
  /** A wildcard parameter as a tree path; the root where it is absent. @throws invalid_path */
  path(name: string): TreePath;
  /** As `path`; a trailing slash is fine. */
  directory(name: string): TreePath;
  /** The validated query, of the type the route's `query` schema makes. Arrays (`a=1&a=2`) are refused before. */
  query<T>(): T;
  /** The validated JSON body. @throws invalid_request, too_large, unsupported */
  json<T>(): Promise<T>;
  header(name: string): string | null;
  readonly contentType: string | null;
  /** Declared Content-Length in bytes, or null. */
  readonly contentLength: number | null;
  /** The raw body; may be read once. */
  readonly body: Readable;
  /** Reads a multipart body to its end; `fields` may come before or after the parts. @throws invalid_request, unsupported, what `receive` throws */
  form(receive: ReceivePart, limits: { readonly maxParts: number }): Promise<Form>;
  readonly conditions: Conditions;
  readonly tally: Tally;
  /** `http://host:port` that absolute URLs in answers begin with. */
  readonly publicUrl: string;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

export type Reply = { readonly status: number; readonly headers?: Readonly<Record<string, string>> } & (
  | { readonly json: unknown }
  | { readonly text: string; readonly contentType: string }
  | { readonly stream: Readable; readonly contentType: string }
  /** Bytes of a file with everything partial reads promise: ranges, 304, HEAD. The server closes it. */
  | {
      readonly file: OpenFile;
      readonly contentType: string;
      readonly downloadName: string;
      readonly etag?: string;
      readonly modifiedAt?: Date;
      /**
       * Where the bytes lie below the data root, for a proxy that may send them instead. Only of what nobody but the daemon can
       * write or replace: the proxy opens it by its path.
       */
      readonly place?: string;
    }
  /**
   * Server-sent events, as text. Called once the answer can begin, and what it throws is still answered; they end when the
   * signal aborts.
   */
  | { readonly events: (until: AbortSignal) => Promise<AsyncIterable<string>> }
  | { readonly empty: true }
);
