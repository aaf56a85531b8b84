import { addAbortSignal } from 'node:stream';
import { FsError } from '../errors.ts';
import { display } from '../tree/path.ts';
import type { ArchiveMember } from './format.ts';

/**
 * The bytes of a file, exactly as many as were promised: its length stands in front of it in an archive.
 * Ending it early gives the file back. @throws conflict where there are more or fewer, and whatever its stream throws
 */
export async function* contentOf(member: ArchiveMember, signal: AbortSignal): AsyncGenerator<Buffer> {
  const content = addAbortSignal(signal, await member.open());
  let left = member.size;
  for await (const chunk of content) {
    left -= chunk.length;
    if (left < 0) throw changed(member);
    yield chunk;
  }
  if (left > 0) throw changed(member);
}

function changed(member: ArchiveMember): FsError {
  const path = display(member.path);
  return new FsError('conflict', `${path} changed while it was being packed; try again`, { path });
}
