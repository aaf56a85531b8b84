import { isUtf8 } from 'node:buffer';
import { FsError } from '../../errors.ts';
import type { Entry } from '../../tree/entry.ts';
import { display, type TreePath } from '../../tree/path.ts';
import type { OpenFile } from '../../tree/tree.ts';
import type { NewContent, RewriteOptions, Volume } from '../core.ts';
import { demandInPlace, openCurrent } from '../rewrite.ts';
import { type TurnLimits, Turns } from '../turns.ts';
import { type UnifiedDiff, unifiedDiff } from './edit-diff.ts';
import { applyEdits, type TextEdit } from './text-edits.ts';

export interface EditOptions extends RewriteOptions {
  /** Nothing is changed, and nothing is locked: the file may be another by the time it is edited. */
  readonly dryRun: boolean;
  /** Aborting it ends the work before anything is placed. */
  readonly signal: AbortSignal;
}

export interface EditOutcome {
  /** The file after the edits; as it is, in a dry run. */
  readonly entry: Entry;
  /** Replacements made, or that would be. */
  readonly occurrences: number;
  readonly diff: UnifiedDiff;
}

/** Texts edited by one process. */
export interface Edits {
  /**
   * Replaces text in a file, all of the edits or none; see applyEdits for what they mean and Volume.rewrite for what holds while
   * they are made. Waits for its turn first: whatever is asked for, a few files at a time are in memory and on the event loop.
   * @throws unsupported for a file that is not UTF-8, rate_limited or unavailable where too many wait, what applyEdits and
   * Volume.rewrite throw, the signal's reason
   */
  edit(volume: Volume, path: TreePath, edits: readonly TextEdit[], options: EditOptions): Promise<EditOutcome>;
}

const TURNS: TurnLimits = {
  what: 'edits',
  atOnce: 4,
  perTenant: 2,
  waiting: { atOnce: 128, perTenant: 32 },
  retryAfterSeconds: 2,
};
const CHUNK_BYTES = 256 * 1024;

export function openEdits(): Edits {
  const turns = new Turns(TURNS);
  return {
    edit: (volume, path, edits, options) =>
      turns.during(volume.ref.tenant, options.signal, () => editFile(volume, path, edits, options)),
  };
}

/** Holds the file two or three times in memory for as long as it takes. */
async function editFile(
  volume: Volume,
  path: TreePath,
  edits: readonly TextEdit[],
  options: EditOptions,
): Promise<EditOutcome> {
  const change = (file: OpenFile) => edited(file, edits, options);
  if (!options.dryRun) {
    const { entry, content } = await volume.rewrite(path, change, options);
    return { entry, occurrences: content.occurrences, diff: content.diff };
  }
  const file = await openCurrent(volume, path, options.expected ?? null);
  try {
    demandInPlace(file.entry, file.entry.size, options.maxBytes);
    const { occurrences, diff } = await change(file);
    return { entry: file.entry, occurrences, diff };
  } finally {
    await file.close();
  }
}

type NewText = NewContent & Pick<EditOutcome, 'occurrences' | 'diff'>;

async function edited(file: OpenFile, edits: readonly TextEdit[], { maxBytes, signal }: EditOptions): Promise<NewText> {
  const { entry } = file;
  const before = await file.bytes(maxBytes);
  demandText(before, entry);
  const { content, occurrences, splices } = await applyEdits({ entry, content: before, maxBytes, signal }, edits);
  const diff = await unifiedDiff(display(entry.path), { before, after: content, splices });
  return { chunks: slicesOf(content), bytes: content.length, occurrences, diff };
}

/** @throws unsupported */
function demandText(content: Buffer, entry: Entry): void {
  if (isUtf8(content)) return;
  const path = display(entry.path);
  throw new FsError('unsupported', `${path} is not UTF-8 text; change its bytes with PATCH, or write it whole`, {
    path,
  });
}

function* slicesOf(content: Buffer): Generator<Buffer> {
  for (let at = 0; at < content.length; at += CHUNK_BYTES) yield content.subarray(at, at + CHUNK_BYTES);
}
