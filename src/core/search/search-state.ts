import type { SearchLimits } from './search-types.ts';

const ENDED = 0;
const PARTIAL = 1;
const STARTED_MS = 2;
const RESULTS = 3;
const ENTRIES = 4;
const KIBIBYTES = 5;
const CHARACTERS = 6;
const SEATS = 7;
const FIELDS = 8;
const KIBIBYTE = 1024;

/** The memory that all threads of one search share. */
export function searchMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(FIELDS * Int32Array.BYTES_PER_ELEMENT);
}

/**
 * How far a search has come, counted by all its threads together: each is told at once when another meets a bound, when the
 * client goes away, or when a thread has nothing to do.
 */
export class SearchState {
  readonly #memory: SharedArrayBuffer;
  readonly #fields: Int32Array;
  readonly #limits: SearchLimits;
  readonly #maxResults: number;
  /** On this thread's own clock. */
  readonly #deadline: number;

  constructor(memory: SharedArrayBuffer, limits: SearchLimits, maxResults: number) {
    this.#memory = memory;
    this.#fields = new Int32Array(memory);
    this.#limits = limits;
    this.#maxResults = maxResults;
    // The first thread that comes to it starts the clock: waiting for a thread is not searching.
    const now = clockMs();
    const before = Atomics.compareExchange(this.#fields, STARTED_MS, 0, now);
    const elapsed = before === 0 ? 0 : (now - before) | 0;
    this.#deadline = performance.now() + limits.timeMs - elapsed;
  }

  /** Asked often. True once nothing more is to be done, also because the time is over. */
  isOver(): boolean {
    if (Atomics.load(this.#fields, ENDED) !== 0) return true;
    if (performance.now() < this.#deadline) return false;
    this.cut();
    return true;
  }

  /** False where the bound of entries is met. */
  takeEntry(): boolean {
    return this.#take(ENTRIES, 1, this.#limits.entries);
  }

  /** False where the bound of results is met: with this one there are more. */
  takeResult(): boolean {
    return this.#take(RESULTS, 1, this.#maxResults);
  }

  takeBytes(bytes: number): boolean {
    return this.#take(KIBIBYTES, Math.ceil(bytes / KIBIBYTE), Math.ceil(this.#limits.bytes / KIBIBYTE));
  }

  takeCharacters(characters: number): boolean {
    return this.#take(CHARACTERS, characters, this.#limits.characters);
  }

  /** Something was left out, and the search goes on. */
  leaveOut(): void {
    Atomics.store(this.#fields, PARTIAL, 1);
  }

  /** Ends the search with what it has. */
  cut(): void {
    this.leaveOut();
    stopSearch(this.#memory);
  }

  /** True for one of the threads that ask, once for each that has nothing to do. */
  takeSeat(): boolean {
    const seats = Atomics.load(this.#fields, SEATS);
    return seats > 0 && Atomics.compareExchange(this.#fields, SEATS, seats, 0) === seats;
  }

  #take(field: number, count: number, limit: number): boolean {
    if (Atomics.add(this.#fields, field, count) + count <= limit) return true;
    this.cut();
    return false;
  }
}

/** Ends all threads of a search within a moment. */
export function stopSearch(memory: SharedArrayBuffer): void {
  Atomics.store(new Int32Array(memory), ENDED, 1);
}

export function isPartial(memory: SharedArrayBuffer): boolean {
  return Atomics.load(new Int32Array(memory), PARTIAL) !== 0;
}

/** Says that so many threads have nothing to do. */
export function offerSeats(memory: SharedArrayBuffer, seats: number): void {
  Atomics.store(new Int32Array(memory), SEATS, seats);
}

/** Of the whole process, never 0; it wraps, so only differences mean something. */
function clockMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return (seconds * 1000 + Math.floor(nanoseconds / 1e6)) | 0 || 1;
}
