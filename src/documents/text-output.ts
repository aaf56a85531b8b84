const ENCODER = new TextEncoder();

/**
 * Text as it is read, up to a number of bytes in UTF-8 and up to a time. It ends before the character that would pass the first,
 * and where the second is over.
 */
export class TextOutput {
  readonly maxBytes: number;
  readonly #endsAtMs: number;
  readonly #parts: string[] = [];
  #bytes = 0;
  #isFull = false;
  #isLate = false;

  /** @param endsAtMs as `performance.now()` tells it */
  constructor(maxBytes: number, endsAtMs = Number.POSITIVE_INFINITY) {
    this.maxBytes = maxBytes;
    this.#endsAtMs = endsAtMs;
  }

  /** True once nothing more is taken: from the first character on that found no room, or since the time is over. */
  get isFull(): boolean {
    if (!this.#isFull && performance.now() > this.#endsAtMs) [this.#isFull, this.#isLate] = [true, true];
    return this.#isFull;
  }

  /** True where it was time that ended it, so that there may be more. */
  get isLate(): boolean {
    return this.#isLate;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  write(text: string): void {
    if (this.#isFull) return;
    const bytes = Buffer.byteLength(text);
    const room = this.maxBytes - this.#bytes;
    if (bytes <= room) {
      this.#bytes += bytes;
      this.#parts.push(text);
      return;
    }
    this.#isFull = true;
    this.#parts.push(text.slice(0, ENCODER.encodeInto(text, new Uint8Array(room)).read));
  }

  /** All of it, with what no database takes left out: NUL, and halves of characters. */
  text(): string {
    return this.#parts.join('').replaceAll('\0', '').toWellFormed();
  }
}
