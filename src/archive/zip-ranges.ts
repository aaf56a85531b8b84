import { damaged } from './faults.ts';

/**
 * The stretches of an archive that its entries lay claim to. Entries of an honest zip share no byte; a bomb lets
 * thousands of them inflate the same ones. Sixteen bytes of memory an entry.
 */
export class Ranges {
  readonly #limit: number;
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #claimed = 0;
  #end = 0;
  #inOrder = true;

  /** @param limit where the entries end and their directory begins */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws invalid_request beyond the limit, and where all of them claim more bytes than there are */
  add(start: number, end: number): void {
    this.#claimed += end - start;
    if (end > this.#limit) throw damaged('an entry reaches into the directory of entries');
    if (this.#claimed > this.#limit) throw damaged('its entries overlap');
    if (start < this.#end) this.#inOrder = false;
    this.#end = Math.max(this.#end, end);
    this.#starts.push(start);
    this.#ends.push(end);
  }

  /** To be asked when all are known. @throws invalid_request where two share a byte */
  demandApart(): void {
    if (this.#inOrder) return;
    const starts = Float64Array.from(this.#starts).sort();
    const ends = Float64Array.from(this.#ends).sort();
    if (starts.some((start, index) => index > 0 && start < (ends[index - 1] ?? 0)))
      throw damaged('its entries overlap');
  }
}
