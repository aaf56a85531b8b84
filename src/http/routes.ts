import type { Core } from '../core/core.ts';
import type { Method, Route } from './call.ts';
import type { Dialect } from './dialect.ts';

/** A route below one of its dialect's mounts. */
export interface MountedRoute {
  readonly dialect: Dialect;
  readonly route: Route;
  /** The whole path in Express syntax. */
  readonly path: string;
}

/** The methods as Express and OpenAPI name them. */
export const METHOD_NAMES = {
  GET: 'get',
  HEAD: 'head',
  POST: 'post',
  PUT: 'put',
  PATCH: 'patch',
  DELETE: 'delete',
  OPTIONS: 'options',
} as const satisfies Record<Method, string>;

/** Every route of every dialect at every mount, in the order in which they are tried. The server, the docs and the tests read this. */
export function mountedRoutes(dialects: readonly Dialect[], core: Core): readonly MountedRoute[] {
  return dialects.flatMap((dialect) => {
    const routes = dialect.routes(core);
    return dialect.mounts.flatMap((mount) =>
      routes.map((route) => ({ dialect, route, path: `${mount}${route.path}` || '/' })),
    );
  });
}

/** What Express must match for a route's path: a wildcard that may be absent also may follow its slash, `…/directories/`. */
export function patternsOf(path: string): string[] {
  const slash = path.replace(/\{\/\*\w+\}$/, '/');
  return slash === path ? [path] : [path, slash];
}
