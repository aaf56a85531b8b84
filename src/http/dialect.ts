import type { Core } from '../core/core.ts';
import type { ErrorCode, FsError } from '../errors.ts';
import type { Route } from './call.ts';

/** A file of an installed package that is served as it is, to anyone. */
export interface Asset {
  readonly path: string;
  readonly directory: string;
  readonly name: string;
}

/** One documented API's HTTP surface. */
export interface Dialect {
  readonly name: string;
  /** Each route is reachable below each of these. '' is the root. */
  readonly mounts: readonly string[];
  routes(core: Core): readonly Route[];
  /** Only where the documented API demands another status for a code than http/errors.ts gives, per route name. */
  readonly statuses?: (route: string) => Partial<Record<ErrorCode, number>> | undefined;
  /** The body of an error in this API's own shape, where it has one; problem+json otherwise. */
  readonly errorBody?: (error: FsError) => unknown;
  /** Headers in lower case that this API demands of every answer, errors too. */
  readonly errorHeaders?: Readonly<Record<string, string>>;
  /** What a page of this dialect loads. */
  readonly assets?: readonly Asset[];
}
