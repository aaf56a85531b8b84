import { isUtf8 } from 'node:buffer';
import { FsError } from '../../errors.ts';
import type { Entry } from '../../tree/entry.ts';
import { display, type TreePath } from '../../tree/path.ts';
import type { OpenFile } from '../../tree/tree.ts';
import type { NewContent, Volume } from '../core.ts';
import { demandInPlace, openCurrent } from '../rewrite.ts';
import { type TurnLimits, Turns } from '../turns.ts';
import { unifiedDiff } from './edit-diff.ts';
import type { EditOptions, EditOutcome, Edits, TextEdit } from './edit-types.ts';
import { applyEdits } from './text-edits.ts';

const TURNS: TurnLimits = {
  what: 'edits',
  atOnce: 4,
  perTenant: 2,
  waiting: { atOnce: 128, perTenant: 32 },
  retryAfterSeconds: 2,
};
const CHUNK_BYTES = 256 * 1024;

/** See Edits. */
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
