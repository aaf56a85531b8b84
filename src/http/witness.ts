import { createHash, type Hash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { BodyPrint } from '../core/core.ts';
import type { IncomingBody } from './body.ts';

/** A body that is looked at on its way to whoever reads it. */
export interface WitnessedBody extends IncomingBody {
  /** How much of what counts has come so far. */
  readonly bytes: number;
  /** What the whole body was; null until it was read to its end. */
  readonly print: BodyPrint | null;
}

/**
 * Takes the print of a body as it is read. Two forms that differ in their boundary alone have the same print: clients make a new
 * boundary for every attempt. Whoever reads is told of the end of the body after `onWhole` has resolved, or gets its error.
 * @param boundary of a multipart body, else null
 */
export function witnessBody(
  body: IncomingBody,
  boundary: string | null,
  onWhole: (print: BodyPrint) => Promise<void>,
): WitnessedBody {
  const printer = new BodyPrinter(boundary);
  let print: BodyPrint | null = null;
  let stream: Readable | null = null;
  async function* look(): AsyncGenerator<Buffer> {
    for await (const chunk of body.stream()) {
      printer.update(chunk);
      yield chunk;
    }
    print = printer.end();
    await onWhole(print);
  }
  return {
    get received() {
      return body.received;
    },
    get bytes() {
      return printer.bytes;
    },
    get print() {
      return print;
    },
    stream() {
      // A generator begins with the first read, so that nothing is asked of the client before.
      stream ??= Readable.from(look(), { objectMode: false }).on('error', () => {});
      return stream;
    },
    settle: () => body.settle(),
  };
}

/** The pieces between boundaries, each by its own hash: no two different bodies read the same. */
class BodyPrinter {
  readonly #delimiter: Buffer;
  readonly #pieces = createHash('sha256');
  #piece: Hash = createHash('sha256');
  /** The end of what came, as it may be the beginning of a delimiter. */
  #rest: Buffer = Buffer.alloc(0);
  bytes = 0;

  constructor(boundary: string | null) {
    this.#delimiter = Buffer.from(boundary === null ? '' : `--${boundary}`);
  }

  update(chunk: Buffer): void {
    if (this.#delimiter.length === 0) {
      this.#take(chunk);
      return;
    }
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let at = rest.indexOf(this.#delimiter); at >= 0; at = rest.indexOf(this.#delimiter)) {
      this.#take(rest.subarray(0, at));
      this.#endPiece();
      rest = rest.subarray(at + this.#delimiter.length);
    }
    const sure = Math.max(0, rest.length - this.#delimiter.length + 1);
    this.#take(rest.subarray(0, sure));
    this.#rest = rest.subarray(sure);
  }

  end(): BodyPrint {
    this.#take(this.#rest);
    this.#endPiece();
    return { hash: this.#pieces.digest('base64url'), bytes: this.bytes };
  }

  #take(bytes: Buffer): void {
    this.#piece.update(bytes);
    this.bytes += bytes.length;
  }

  #endPiece(): void {
    this.#pieces.update(this.#piece.digest());
    this.#piece = createHash('sha256');
  }
}

/** The print of no bytes at all. */
export const EMPTY_PRINT: BodyPrint = new BodyPrinter(null).end();
