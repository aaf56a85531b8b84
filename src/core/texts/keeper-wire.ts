import type { Extraction } from './extractor.ts';

/** What goes to the keeper of the processes that read documents: each document under a number, its bytes piece by piece. */
export type ToKeeper =
  | { readonly kind: 'begin'; readonly id: number; readonly format: string; readonly size: number }
  /** The next is sent when this was taken. */
  | { readonly kind: 'bytes'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: 'end'; readonly id: number };

/** What the keeper says of it. */
export type FromKeeper =
  | { readonly kind: 'taken'; readonly id: number }
  | { readonly kind: 'done'; readonly id: number; readonly extraction: Extraction };
