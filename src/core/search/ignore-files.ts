import { LRUCache } from 'lru-cache';
import { parentOf, ROOT, type TreePath } from '../../tree/path.ts';
import type { Survey, SurveyedDirectory } from '../../tree/survey.ts';
import { IgnoreRules } from './ignore-rules.ts';

const IGNORE_FILE = '.gitignore';
/** What a longer one says further on is not heeded. */
const MAX_BYTES = 64 * 1024;
const DIRECTORIES_KEPT = 256;

/** The .gitignore files of a tree, read on the way. */
export class IgnoreFiles {
  readonly #survey: Survey;
  readonly #known = new LRUCache<TreePath, { readonly rules: IgnoreRules | null }>({ max: DIRECTORIES_KEPT });

  constructor(survey: Survey) {
    this.#survey = survey;
  }

  /** What holds for the entries of a directory: its own rules and those of all directories above it; null where there are none. */
  of(dir: TreePath, held: SurveyedDirectory): IgnoreRules | null {
    const known = this.#known.get(dir);
    if (known !== undefined) return known.rules;
    const above = dir === ROOT ? null : this.#above(parentOf(dir));
    const text = read(held);
    const rules = text === null ? above : new IgnoreRules(text, dir, above);
    this.#known.set(dir, { rules });
    return rules;
  }

  #above(dir: TreePath): IgnoreRules | null {
    const known = this.#known.get(dir);
    if (known !== undefined) return known.rules;
    const held = this.#survey.hold(dir);
    // Gone meanwhile: then what is below it is gone too, or was moved to where other rules hold.
    if (held === null) return null;
    try {
      return this.of(dir, held);
    } finally {
      held.close();
    }
  }
}

function read(held: SurveyedDirectory): string | null {
  // Most directories have none, and this look costs less than a failed opening.
  if (held.sizeOf(IGNORE_FILE) === null) return null;
  const file = held.open(IGNORE_FILE);
  if (file === null) return null;
  try {
    const bytes = Buffer.alloc(Math.min(file.size, MAX_BYTES));
    return bytes.toString('utf8', 0, bytes.length === 0 ? 0 : file.read(bytes, 0, bytes.length, 0));
  } finally {
    file.close();
  }
}
