import * as fs from 'node:fs';
import type { SearchQuery } from '../../src/core/core.ts';
import { searchHouse } from '../core/search-site.ts';
import { attack, prepared, tells } from './attack.ts';

const SECONDS = Number(process.env.RACE_SECONDS ?? 5);
const CONTROL_SECONDS = 15;

const QUERIES: readonly Partial<SearchQuery>[] = [
  { text: 'SECRET' },
  { text: 'secret', caseSensitive: false, contextLines: 1 },
  { text: '.*', regex: true },
  { text: '*', within: 'both' },
];

/** What a search without a guard does: looks at each entry, goes into directories and reads files by their paths. */
function plainSearch(dir: string): string[] {
  return attempt(() => fs.readdirSync(dir, { withFileTypes: true })).flatMap((entry) => {
    const path = `${dir}/${entry.name}`;
    if (entry.isDirectory()) return plainSearch(path);
    return entry.isFile() ? attempt(() => [fs.readFileSync(path, 'utf8')]) : [];
  });
}

/** Nothing where the attacker was quicker. */
function attempt<T>(look: () => T[]): T[] {
  try {
    return look();
  } catch {
    return [];
  }
}

it(
  'no search leaves a tree in which links are swapped all the while, and a plain one does',
  async () => {
    const house = searchHouse();
    try {
      using control = house.over(await prepared());
      using againstPlain = await attack(control.home);
      let escaped = false;
      const giveUpAt = performance.now() + CONTROL_SECONDS * 1000;
      while (!escaped && performance.now() < giveUpAt) escaped = tells(plainSearch(control.home.hostPath));
      await againstPlain.retreat();
      expect(escaped).toBe(true);

      using site = house.over(await prepared());
      using attacker = await attack(site.home);
      const score = { searches: 0, results: 0, escapes: 0 };
      const endAt = performance.now() + SECONDS * 1000;
      while (performance.now() < endAt) {
        const answers = await Promise.all(QUERIES.map((query) => site.find(query)));
        score.searches += answers.length;
        for (const { results } of answers) {
          score.results += results.length;
          if (tells(results)) score.escapes += 1;
        }
      }
      await attacker.retreat();
      console.info(`raced: ${JSON.stringify(score)}`);
      expect(score.escapes).toBe(0);
      expect(score.results).toBeGreaterThan(0);
    } finally {
      await house.close();
    }
  },
  (SECONDS + CONTROL_SECONDS + 60) * 1000,
);
