import { FsError } from '../../errors.ts';
import { encodePath, isWithin, pathFromBytes, type TreePath } from '../../tree/path.ts';
import { decodeCursor, encodeCursor } from '../decode.ts';

/** The cursor of a directory listing: the last path of the page, so it holds while entries come and go. */
export function pathCursor(path: TreePath): string {
  return encodeCursor([path]);
}

/** Where a listing of `dir` goes on, or null at its start. @throws invalid_request for a text that is no cursor of it */
export function afterCursor(cursor: string | undefined, dir: TreePath): TreePath | null {
  if (cursor === undefined) return null;
  const [text] = decodeCursor(cursor);
  const path = typeof text === 'string' ? pathFromBytes(encodePath(text)) : dir;
  if (path === dir || !isWithin(path, dir)) {
    throw new FsError('invalid_request', 'the cursor is of another listing; begin this one without it');
  }
  return path;
}
