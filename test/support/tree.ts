import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type DataRoot, type DataRootOptions, type Home, openDataRoot } from '../../src/tree/root.ts';

/**
 * Writes a tree of strings below a directory: `in/` is a directory, `in/a.csv: 1,2` a file with its content, and
 * `evil => ../../etc` a link. Parents are made.
 */
export function makeTree(at: string, lines: readonly string[]): void {
  for (const line of lines) {
    const [link, target] = line.split(' => ', 2);
    if (link !== undefined && target !== undefined) {
      symlinkSync(target, parentMade(at, link));
      continue;
    }
    if (line.endsWith('/')) {
      mkdirSync(join(at, line), { recursive: true });
      continue;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    writeFileSync(parentMade(at, name), colon < 0 ? '' : line.slice(colon + 1).trimStart());
  }
}

function parentMade(at: string, name: string): string {
  const path = join(at, name);
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

/** A directory that is gone when the scope ends. */
export interface Temporary {
  readonly path: string;
  [Symbol.dispose](): void;
}

export function temporaryDirectory(): Temporary {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'workspaced-')));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A home in a data root of its own, both gone when the scope ends, with a directory `outside` beside the root. */
export interface TemporaryHome extends Home, Temporary {
  readonly root: DataRoot;
  /** Where nothing may ever be read or written: what an escape would reach. */
  readonly outside: string;
  /** The host's path of something in the tree. */
  at(path: string): string;
}

export async function temporaryHome(
  lines: readonly string[] = [],
  options: Partial<DataRootOptions> = {},
): Promise<TemporaryHome> {
  const directory = temporaryDirectory();
  const outside = join(directory.path, 'outside');
  mkdirSync(outside);
  const path = join(directory.path, 'root');
  const root = await openDataRoot({ path, instance: 'test', durability: 'none', ...options });
  const home = await root.open(['tenants', 'acme', 'store']);
  makeTree(home.hostPath, lines);
  return { ...directory, ...home, root, outside, at: (name) => join(home.hostPath, name) };
}
