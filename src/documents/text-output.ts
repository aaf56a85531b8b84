const ENCODER = new TextEncoder();

/** Text as it is read, up to a number of bytes in UTF-8. It ends before the character that would pass the limit. */
export class TextOutput {
  readonly maxBytes: number;
  readonly #parts: string[] = [];
  #bytes = 0;
  #isFull = false;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** True from the first character on that found no room: all that follows finds none. */
  get isFull(): boolean {
    return this.#isFull;
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
