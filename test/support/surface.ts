import { systemClock } from '../../src/clock.ts';
import type { Core } from '../../src/core/core.ts';
import { allDialects } from '../../src/http/dialects/index.ts';
import { type MountedRoute, mountedRoutes } from '../../src/http/routes.ts';

/** One element of a route's path. `rest` is what a wildcard takes: any number of elements, also none. */
export type Element = { readonly is: string } | 'one' | 'rest';

/** `/agent/:id/files{/*path}` as its elements. */
export function elementsOf(path: string): readonly Element[] {
  const elements = path
    .replace(/\{\/\*\w+\}$/, '/*')
    .split('/')
    .slice(1);
  return elements.map((text) => (text === '*' ? 'rest' : text.startsWith(':') ? 'one' : { is: text }));
}

/** True when some path fits both. */
export function canMeet(one: readonly Element[], other: readonly Element[]): boolean {
  const [a, ...restOfOne] = one;
  const [b, ...restOfOther] = other;
  if (a === 'rest' || b === 'rest') {
    // A wildcard stands last: whatever is left on the other side fits it.
    return true;
  }
  if (a === undefined || b === undefined) return a === b;
  const alike = a === 'one' || b === 'one' || a.is === b.is;
  return alike && canMeet(restOfOne, restOfOther);
}

/** Every route of the documented APIs, mounted. Their tables are made without a core: only a call would need one. */
export function surface(): readonly MountedRoute[] {
  const limit = 1024;
  const dialects = allDialects({
    storeMaxFileBytes: limit,
    workspaceMaxFileBytes: limit,
    filesMaxFileBytes: limit,
    slotMaxFileBytes: limit,
    mediaMaxFileBytes: limit,
    mediaSignedUrls: false,
    mediaDocumentHandling: 'extract',
    jsonMaxBytes: limit,
    editMaxBytes: limit,
    clock: systemClock,
  });
  return mountedRoutes(dialects, {} as Core);
}

const ROUTES = surface().map((mounted) => ({ mounted, elements: elementsOf(mounted.path) }));

/** The route that `GET /agent/a1?x=1` goes to, or undefined. */
export function routeOf(call: string): MountedRoute | undefined {
  const [method = '', target = ''] = call.split(' ');
  const asked = method === 'HEAD' ? 'GET' : method;
  const path = target.split('?')[0] ?? '';
  const elements = elementsOf(path.replaceAll(':', '%3A').replaceAll('*', '%2A'));
  return ROUTES.find(({ mounted, elements: own }) => mounted.route.method === asked && canMeet(own, elements))?.mounted;
}
