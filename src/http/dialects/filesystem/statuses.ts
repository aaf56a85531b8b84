import type { ErrorCode } from '../../../errors.ts';
import { HTTP_STATUS } from '../../errors.ts';

const STATUSES: Readonly<Record<string, Partial<Record<ErrorCode, number>>>> = {
  // filesystem.md: DELETE files on a directory is 409, whatever is in it
  'filesystem.delete': { is_directory: 409, not_empty: 409 },
  // filesystem.md: a file in the way is 409, also where it stands for a parent
  'filesystem.mkdir': { not_directory: 409 },
};

/** The statuses that this dialect demands of a route beside those of every dialect. */
export function statusesOf(route: string): Partial<Record<ErrorCode, number>> | undefined {
  return STATUSES[route];
}

/** What a route answers to an error. */
export function statusOf(route: string, code: ErrorCode): number {
  return statusesOf(route)?.[code] ?? HTTP_STATUS[code];
}
