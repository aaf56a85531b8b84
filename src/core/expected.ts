import { FsError } from '../errors.ts';
import type { Entry } from '../tree/entry.ts';
import { display, type TreePath } from '../tree/path.ts';
import type { Expected } from './core.ts';

/** True where nothing may be at the path, so that also what a process in a mount puts there just now is not replaced. */
export function demandsAbsence(expected: Expected | undefined): boolean {
  return expected !== undefined && expected !== null && 'absent' in expected;
}

/** Holds an entry (null: nothing there) against what a conditional write demands. @throws precondition_failed */
export function demandExpected(expected: Expected, entry: Entry | null, path: TreePath): void {
  if (expected === null) return;
  const detail = { path: display(path) };
  if ('absent' in expected) {
    if (entry === null) return;
    throw new FsError(
      'precondition_failed',
      `${display(path)} exists already, and the request demands that it does not`,
      detail,
    );
  }
  if (entry === null) {
    throw new FsError(
      'precondition_failed',
      `${display(path)} does not exist, and the request demands a version of it`,
      detail,
    );
  }
  if (expected.versions.includes('*') || expected.versions.includes(entry.version)) return;
  throw new FsError(
    'precondition_failed',
    `${display(path)} has changed since the version the request names; read it again`,
    detail,
  );
}
