import type { TreePath } from '../tree/path.ts';

/** A path as the database gave it back: it was entered from tree paths and from nothing else. */
export function storedPath(text: string): TreePath {
  return text as TreePath;
}
