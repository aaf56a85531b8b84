import { opendir } from 'node:fs/promises';
import type { Directory } from './directory.ts';
import { decodeName } from './path.ts';

/** One name in a directory, and whether it is a directory as far as the disk says so at once (null: it does not say). */
export interface Name {
  readonly name: string;
  readonly isDirectory: boolean | null;
}

const BATCH = 256;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ASCII is meant
const ASCII = /^[\u0000-\u007f]*$/;

/** The names in a held directory in no order, some hundred at a time, so that a million of them need little memory. */
export async function* readNames(directory: Directory): AsyncGenerator<readonly Name[]> {
  // latin1 keeps every byte of a name, whatever its encoding.
  const stream = await opendir(directory.self, { encoding: 'latin1', bufferSize: BATCH });
  let batch: Name[] = [];
  for await (const found of stream) {
    const isKnown =
      found.isDirectory() || found.isFile() || found.isSymbolicLink() || found.isFIFO() || found.isSocket();
    batch.push({ name: decodeLatin1(found.name), isDirectory: isKnown ? found.isDirectory() : null });
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** True where the directory has no entries. */
export async function isEmpty(directory: Directory): Promise<boolean> {
  for await (const _ of readNames(directory)) return false;
  return true;
}

/** A name that was read as latin1, which keeps every byte, as a path has it. */
export function decodeLatin1(latin1: string): string {
  return ASCII.test(latin1) ? latin1 : decodeName(Buffer.from(latin1, 'latin1'));
}

/** Keeps the smallest names it is offered, at most `limit` of them. */
export class SmallestNames {
  readonly #limit: number;
  #names: string[] = [];
  #bound: string | null = null;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True where some name did not fit. */
  get overflowed(): boolean {
    return this.#bound !== null || this.#names.length > this.#limit;
  }

  offer(name: string): void {
    if (this.#bound !== null && name > this.#bound) return;
    this.#names.push(name);
    // Sorting only now and then makes a million offers cheap.
    if (this.#names.length >= this.#limit * 2 + BATCH) this.#trim();
  }

  /** In ascending order. */
  sorted(): string[] {
    this.#trim();
    return this.#names;
  }

  #trim(): void {
    this.#names.sort(ascending);
    if (this.#names.length <= this.#limit) return;
    this.#names.length = this.#limit;
    this.#bound = this.#names.at(-1) ?? '';
  }
}

function ascending(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
