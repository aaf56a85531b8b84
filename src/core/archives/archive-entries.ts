import type { ArchiveEntry } from '../../archive/format.ts';
import { FsError } from '../../errors.ts';
import {
  child,
  decodeName,
  display,
  encodePath,
  parentOf,
  pathFromBytes,
  ROOT,
  type TreePath,
} from '../../tree/path.ts';

/** Entries of one archive, whatever they name, and directories that only paths imply. */
const MAX_ENTRIES = 250_000;
/** Characters of all their paths and targets together: they are kept until the end. */
const MAX_LENGTH = 64 * 1024 * 1024;
const MAX_PATH_BYTES = 4096;
const MAX_TARGET_BYTES = 4095;
const MAX_SEGMENT_BYTES = 255;
const SHOWN_CHARACTERS = 200;
const NO_BYTES = Buffer.alloc(0);

/** An entry that may be made, and how. */
export interface Admitted {
  readonly path: TreePath;
  readonly what: 'file' | 'directory' | 'link' | { readonly copyOf: TreePath };
  /** Directories that must be there before it and that no entry made, outermost first. */
  readonly parents: readonly TreePath[];
}

export interface ArchiveLink {
  readonly path: TreePath;
  readonly target: string;
}

/**
 * What an archive has named so far. Whatever it says is judged here: an entry is admitted, or refused with a sentence that
 * names it. Two entries that differ in case alone are two entries, as on the disk.
 */
export class ArchiveEntries {
  readonly #kinds = new Map<TreePath, 'file' | 'directory' | 'link'>([[ROOT, 'directory']]);
  readonly #links: ArchiveLink[] = [];
  /** Entries seen and directories implied. */
  #count = 0;
  #length = 0;

  /** Null for the archive's own root, which is the destination. @throws invalid_request */
  admit(entry: ArchiveEntry): Admitted | null {
    this.#demandFew(entry, 1);
    const path = pathOf(entry.name, entry.kind === 'directory', (what) => refused(entry, what));
    // Nobody counts what is passed over: it could inflate without end.
    if (entry.kind === 'directory' && (entry.size ?? 0) > 0) throw refused(entry, 'is a directory with content');
    if (path === ROOT) return null;
    if (entry.kind === 'other') {
      throw refused(entry, 'is a device, a pipe or something else that is no file, directory or link');
    }
    const parents = this.#missingParents(entry, path);
    this.#demandFew(entry, parents.length);
    const kind = entry.kind === 'hardlink' ? 'file' : entry.kind === 'symlink' ? 'link' : entry.kind;
    const known = this.#kinds.get(path);
    if (known !== undefined && (known !== 'directory' || kind !== 'directory'))
      throw refused(entry, clash(known, kind));
    const copyOf = entry.kind === 'hardlink' ? this.#linkedFile(entry) : null;
    for (const dir of parents) this.#remember(entry, dir, 'directory');
    this.#remember(entry, path, kind);
    if (kind === 'link') this.#rememberLink(path, targetOf(entry, entry.target ?? NO_BYTES));
    return { path, what: copyOf === null ? kind : { copyOf }, parents };
  }

  /**
   * Symbolic links, to be made after everything else. Each is judged when its turn comes: for all at once, and as long as they
   * can be, it would take many seconds. @throws invalid_request for one that leaves the destination
   */
  *links(): Generator<ArchiveLink> {
    for (const link of this.#links) {
      if (!this.#staysWithin(link.path, link.target)) {
        throw refusal(shorten(link.path), `is a link to "${shorten(link.target)}", which leaves the destination`);
      }
      yield link;
    }
  }

  /**
   * Only a `..` can lead out. From a directory of the archive it leads to its parent; from anything else, such as another
   * link or what was at the destination before, it could lead anywhere.
   */
  #staysWithin(path: TreePath, target: string): boolean {
    let at = parentOf(path);
    for (const segment of target.split('/')) {
      if (segment === '' || segment === '.') continue;
      if (segment !== '..') at = child(at, segment);
      else if (at === ROOT || this.#kinds.get(at) !== 'directory') return false;
      else at = parentOf(at);
    }
    return true;
  }

  #missingParents(entry: ArchiveEntry, path: TreePath): readonly TreePath[] {
    const missing: TreePath[] = [];
    for (let dir = parentOf(path); ; dir = parentOf(dir)) {
      const known = this.#kinds.get(dir);
      if (known === 'directory') return missing.reverse();
      if (known !== undefined) throw refused(entry, `lies below "${shorten(dir)}", which is a ${known} in the archive`);
      missing.push(dir);
    }
  }

  #linkedFile(entry: ArchiveEntry): TreePath {
    const fault = (what: string) => refused(entry, `is a hard link to something that ${what}`);
    const target = pathOf(entry.target ?? NO_BYTES, false, fault);
    if (this.#kinds.get(target) === 'file') return target;
    throw refused(entry, `is a hard link to "${shorten(target)}", which is no file before it in the archive`);
  }

  #remember(entry: ArchiveEntry, path: TreePath, kind: 'file' | 'directory' | 'link'): void {
    this.#kinds.set(path, kind);
    this.#length += path.length;
    if (this.#length > MAX_LENGTH) throw refused(entry, `comes after more than ${MAX_LENGTH} characters of names`);
  }

  #demandFew(entry: ArchiveEntry, more: number): void {
    this.#count += more;
    if (this.#count > MAX_ENTRIES) {
      throw refused(entry, `is more than the ${MAX_ENTRIES} files and directories that one archive may have`);
    }
  }

  #rememberLink(path: TreePath, target: string): void {
    this.#links.push({ path, target });
    this.#length += target.length;
  }
}

function clash(known: string, kind: string): string {
  return known === kind ? 'is in the archive twice' : `is in the archive as a ${known} and as a ${kind}`;
}

/** What is wrong with a name, the first of them told. */
const FAULTS: readonly (readonly [(name: string) => boolean, string])[] = [
  [(name) => name === '', 'has no name'],
  [(name) => name.startsWith('/'), 'has an absolute path'],
  [(name) => /^[A-Za-z]:/.test(name), 'begins with a drive letter'],
  [(name) => name.includes('\\'), 'has a backslash in its name'],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what is looked for
  [(name) => /[\u0000-\u001f\u007f]/.test(name), 'has a control character in its name'],
];

const SEGMENT_FAULTS: readonly (readonly [(segment: string) => boolean, string])[] = [
  [(segment) => segment === '..', 'leaves the destination by ".."'],
  [(segment) => segment === '' || segment === '.', 'has an empty or "." element in its path'],
  [(segment) => encodePath(segment).length > MAX_SEGMENT_BYTES, `has a name of more than ${MAX_SEGMENT_BYTES} bytes`],
];

/** As tar writes them, `./a` is `a`, and `./` the root; a directory may end in a slash. @throws what `fault` makes */
function pathOf(bytes: Buffer, isDirectory: boolean, fault: (what: string) => FsError): TreePath {
  if (bytes.length > MAX_PATH_BYTES) throw fault(`has a path of more than ${MAX_PATH_BYTES} bytes`);
  const name = decodeName(bytes);
  for (const [isFault, what] of FAULTS) if (isFault(name)) throw fault(what);
  const relative = name.replace(/^(\.\/)+/, '');
  const bare = isDirectory && relative.endsWith('/') ? relative.slice(0, -1) : relative;
  if (isDirectory && (bare === '' || bare === '.')) return ROOT;
  for (const segment of bare.split('/')) {
    for (const [isFault, what] of SEGMENT_FAULTS) if (isFault(segment)) throw fault(what);
  }
  return pathFromBytes(encodePath(bare));
}

function targetOf(entry: ArchiveEntry, bytes: Buffer): string {
  if (bytes.length > MAX_TARGET_BYTES) throw refused(entry, `is a link to more than ${MAX_TARGET_BYTES} bytes`);
  const target = decodeName(bytes);
  const [, what] = FAULTS.find(([isFault]) => isFault(target)) ?? [];
  if (what !== undefined) throw refused(entry, `is a link to something that ${what}`);
  return target;
}

/** An entry's name as people are shown it. */
export function nameOf(entry: ArchiveEntry): string {
  return shorten(decodeName(entry.name.subarray(0, MAX_PATH_BYTES)));
}

/** An entry that will not be extracted, and therefore nothing. */
export function refused(entry: ArchiveEntry, what: string): FsError {
  return refusal(nameOf(entry), what);
}

function refusal(shown: string, what: string): FsError {
  return new FsError('invalid_request', `the archive's entry "${shown}" ${what}; nothing was extracted`, {
    path: shown,
  });
}

function shorten(name: string): string {
  const shown = display(name);
  return shown.length <= SHOWN_CHARACTERS ? shown : `${shown.slice(0, SHOWN_CHARACTERS).toWellFormed()}…`;
}
