import type { TextOutput } from './text-output.ts';

/**
 * Reads the text of one document into the output, and may stop where that is full.
 * @throws anything where the bytes are no document of the format, damaged, or encrypted
 */
export type DocumentReader = (bytes: Uint8Array, output: TextOutput) => void | Promise<void>;

/**
 * One format of documents: bytes to text, and nothing else. No disk, no network, no tenant. Of time and memory nothing is
 * promised unless it is `isPlain`: whoever calls the reader of another keeps it in a process whose limits hold.
 */
export interface DocumentFormat {
  readonly name: string;
  readonly mediaTypes: readonly string[];
  /** True where the text is the bytes themselves: reading takes no longer and no more memory than they do, whatever they are. */
  readonly isPlain: boolean;
  /** Loads what reading takes. What fails here is no fault of a document. */
  open(): Promise<DocumentReader>;
}
