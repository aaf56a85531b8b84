import { setImmediate } from 'node:timers/promises';
import { FsError } from '../../errors.ts';
import type { Kind } from '../../tree/entry.ts';
import { child, nameOf, parentOf, type TreePath } from '../../tree/path.ts';
import type { Survey, SurveyedDirectory, SurveyedName } from '../../tree/survey.ts';
import { IgnoreFiles } from './ignore-files.ts';
import { BLOCK_BYTES, FileSearch } from './search-file.ts';
import type { SearchPattern } from './search-pattern.ts';
import type { SearchState } from './search-state.ts';
import { type FoundLine, ITEM_CHARACTERS, type SearchQuery, type SearchResult } from './search-types.ts';

export interface WalkParts {
  readonly survey: Survey;
  readonly query: SearchQuery;
  readonly pattern: SearchPattern;
  readonly state: SearchState;
  readonly maxLines: number;
}

/** An entry as it was seen before. */
export interface SearchedEntry {
  readonly path: TreePath;
  readonly kind: Kind;
}

/** How long a walk works before others of its thread have a turn, and before it gives work to other threads. */
const TURN_MS = 8;
/** Directories that are still to be visited may take so many characters, at so many for each besides its own. */
const MAX_WAITING_CHARACTERS = 32 * 1024 * 1024;
const CHARACTERS_EACH = 48;
/** More are not handed to other threads at once. */
const MAX_SHARED = 4096;
const GIT = '.git';

/** One thread's part of a search: visits directories one by one. */
export class SearchWalk {
  readonly results: SearchResult[] = [];
  readonly #parts: WalkParts;
  readonly #ignored: IgnoreFiles;
  readonly #buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  /** The deepest last. */
  readonly #waiting: TreePath[];
  #waitingCharacters = 0;
  #turnEndsAt = performance.now() + TURN_MS;
  #hasWorked = false;

  constructor(parts: WalkParts, directories: readonly TreePath[]) {
    this.#parts = parts;
    this.#waiting = [...directories];
    this.#ignored = new IgnoreFiles(parts.survey);
  }

  /** Visits all that waits and what is below it. Returns what it leaves for other threads. */
  async run(): Promise<readonly TreePath[]> {
    const { state } = this.#parts;
    for (let dir = this.#next(); dir !== null && !state.isOver(); dir = this.#next()) {
      await this.#visit(dir);
      const canShare = this.#hasWorked && this.#waiting.length > 1 && this.#waiting.length <= MAX_SHARED;
      if (canShare && state.takeSeat()) return this.#waiting.splice(0);
    }
    return [];
  }

  /** Looks at these entries alone. */
  async look(entries: readonly SearchedEntry[]): Promise<void> {
    for (const { path, kind } of entries) {
      if (this.#parts.state.isOver()) return;
      if (this.#isTired()) await this.#rest();
      await this.#holding(parentOf(path), (held) => this.#consider(held, path, { name: nameOf(path), kind }));
    }
  }

  #next(): TreePath | null {
    const dir = this.#waiting.pop();
    if (dir === undefined) return null;
    this.#waitingCharacters -= dir.length + CHARACTERS_EACH;
    return dir;
  }

  async #visit(dir: TreePath): Promise<void> {
    const { state, query } = this.#parts;
    await this.#holding(dir, async (held) => {
      const rules = query.includeIgnored ? null : this.#ignored.of(dir, held);
      for (const found of held.names()) {
        if (state.isOver() || !state.takeEntry()) return;
        if (this.#isTired()) await this.#rest();
        if (found.name === GIT && !query.includeIgnored) continue;
        const path = child(dir, found.name);
        if (rules?.ignores(path, found.kind === 'directory')) continue;
        if (found.kind === 'directory') this.#remember(path);
        await this.#consider(held, path, found);
      }
    });
  }

  async #holding(dir: TreePath, use: (held: SurveyedDirectory) => Promise<void>): Promise<void> {
    let held: SurveyedDirectory | null;
    try {
      held = this.#parts.survey.hold(dir);
    } catch (error) {
      if (!(error instanceof FsError) || error.code !== 'invalid_path') throw error;
      this.#parts.state.leaveOut();
      return;
    }
    try {
      if (held !== null) await use(held);
    } finally {
      held?.close();
    }
  }

  #remember(path: TreePath): void {
    this.#waitingCharacters += path.length + CHARACTERS_EACH;
    if (this.#waitingCharacters <= MAX_WAITING_CHARACTERS) {
      this.#waiting.push(path);
      return;
    }
    this.#waitingCharacters -= path.length + CHARACTERS_EACH;
    this.#parts.state.leaveOut();
  }

  async #consider(held: SurveyedDirectory, path: TreePath, { name, kind }: SurveyedName): Promise<void> {
    const { pattern } = this.#parts;
    if (pattern.allowsFile !== null && (kind !== 'file' || !pattern.allowsFile(path))) return;
    const isNamed = pattern.matchesName?.(path) ?? false;
    const lines = kind === 'file' && pattern.lines !== null ? await this.#search(held, name) : null;
    if (isNamed || lines !== null) this.#add(held, path, { name, kind }, lines);
  }

  /** The lines found in a file; null where there are none. */
  async #search(held: SurveyedDirectory, name: string): Promise<readonly FoundLine[] | null> {
    const { pattern, state, query, maxLines } = this.#parts;
    const file = held.open(name);
    if (file === null || pattern.lines === null) return null;
    try {
      const parts = { finder: pattern.lines, state, contextLines: query.contextLines, maxLines, buffer: this.#buffer };
      const search = new FileSearch(parts, file);
      while (search.step()) if (this.#isTired()) await this.#rest();
      return search.lines.length === 0 ? null : search.lines;
    } finally {
      file.close();
    }
  }

  #add(
    held: SurveyedDirectory,
    path: TreePath,
    { name, kind }: SurveyedName,
    lines: readonly FoundLine[] | null,
  ): void {
    const { state } = this.#parts;
    const size = held.sizeOf(name);
    if (size === null) return;
    if (state.takeCharacters(ITEM_CHARACTERS + path.length) && state.takeResult())
      this.results.push({ path, kind, size, lines });
  }

  #isTired(): boolean {
    return performance.now() >= this.#turnEndsAt;
  }

  async #rest(): Promise<void> {
    this.#hasWorked = true;
    await setImmediate();
    this.#turnEndsAt = performance.now() + TURN_MS;
  }
}
