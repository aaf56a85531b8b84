export interface PageRequest {
  readonly limit: number;
  /** Opaque text from the page before, or null. @throws invalid_request where it is none of ours */
  readonly cursor: string | null;
}

export interface PageOf<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}
