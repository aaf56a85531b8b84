import * as fs from 'node:fs';
import { join } from 'node:path';
import { FsError } from '../../src/errors.ts';
import { parsePath as p, ROOT } from '../../src/tree/path.ts';
import { staged } from '../contract/tree.contract.ts';
import type { TemporaryHome } from '../support/tree.ts';
import { attack, prepared, tells } from './attack.ts';

const SECONDS = Number(process.env.RACE_SECONDS ?? 20);
const CONTROL_SECONDS = 15;

/** A verb at work on the paths that the attacker swaps, as a guarded or an unguarded server would do it. */
type Move = (home: TemporaryHome, turn: number) => Promise<unknown>;

const GUARDED: readonly Move[] = [
  ({ tree }) => tree.stat(p('dir/file')),
  ({ tree }) => tree.find(p('dir/sub/inner')),
  async ({ tree }) => {
    const file = await tree.open(p('dir/file'));
    return Buffer.concat(await file.stream().toArray()).toString();
  },
  ({ tree }) => tree.list(p('dir'), { after: null, limit: 100, depth: 3 }),
  ({ tree }) => tree.list(ROOT, { after: null, limit: 100, depth: 4 }),
  ({ tree }) => Array.fromAsync(tree.walk(ROOT, { depth: 5, entries: 1000 })),
  async ({ tree }) => ({ size: (await tree.count()).bytes }),
  async (home, turn) => home.tree.place(p(`dir/new${turn % 8}`), await staged(home, 'mine'), 'upsert'),
  async (home, turn) => home.tree.place(p(`dir/once${turn}`), await staged(home, 'mine'), 'create'),
  async (home) => home.tree.place(p('dir/file'), await staged(home, 'mine'), 'upsert', home.staging.asideName('test')),
  ({ tree }, turn) => tree.mkdir(p(`dir/made${turn % 8}/deep`)),
  ({ tree }, turn) => tree.rmdirIfEmpty(p(`dir/made${turn % 8}/deep`)),
  ({ tree }) => tree.move(p('dir/file'), p('dir/sub/file'), true),
  ({ tree }) => tree.move(p('dir/sub/file'), p('dir/file'), true),
  ({ tree }, turn) => tree.remove(p(`dir/once${turn - 9}`), { recursive: false }),
  ({ tree }) => tree.remove(p('dir/sub'), { recursive: true }),
  ({ tree }) => tree.chmod(p('dir/file'), 0o751),
  ({ tree }) => tree.chown(p('dir/file'), { gid: process.getgid?.() ?? 0 }),
  ({ tree }) => tree.utimes(p('dir/file'), new Date(1000)),
  ({ tree }) => tree.flush([p('dir'), p('dir/sub')]),
  async ({ tree, staging }) => {
    const copy = await staging.copy(await tree.open(p('dir/file')));
    await copy.discard();
    return copy;
  },
  async ({ tree, staging }) => {
    const copy = await staging.copyDirectory(tree, p('dir'), async () => undefined);
    const placed = await tree.place(p('copied'), copy, 'create');
    const all = await Array.fromAsync(tree.walk(p('copied'), { depth: 5, entries: 1000 }));
    await tree.remove(p('copied'), { recursive: true });
    return [placed, all];
  },
];

const UNGUARDED: readonly Move[] = [
  async (home) => ({ size: (await fs.promises.stat(home.at('dir/file'))).size }),
  (home) => fs.promises.readFile(home.at('dir/file'), 'utf8'),
  (home) => fs.promises.readdir(home.at('dir')),
  (home, turn) => fs.promises.writeFile(home.at(`dir/new${turn % 8}`), 'mine'),
];

function picture(directory: string): string {
  const names = fs.readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted();
  return JSON.stringify(
    names.map((name) => {
      const { mode, size, mtimeMs } = fs.lstatSync(join(directory, name));
      return [name, mode, size, mtimeMs];
    }),
  );
}

interface Score {
  moves: number;
  refused: number;
  escapes: number;
}

/** Plays all moves, some at once, until the time is over or `isEnough`. */
async function play(
  home: TemporaryHome,
  moves: readonly Move[],
  seconds: number,
  isEnough: (score: Score) => boolean,
): Promise<Score> {
  const score = { moves: 0, refused: 0, escapes: 0 };
  const before = picture(home.outside);
  const deadline = performance.now() + seconds * 1000;
  for (let turn = 0; performance.now() < deadline && !isEnough(score); turn++) {
    const answers = await Promise.allSettled(moves.map((move) => move(home, turn)));
    score.moves += answers.length;
    for (const answer of answers) {
      if (answer.status === 'fulfilled') score.escapes += tells(answer.value) ? 1 : 0;
      else if (answer.reason instanceof FsError && answer.reason.code === 'symlink') score.refused++;
    }
    if (picture(home.outside) !== before) {
      score.escapes++;
      return score;
    }
  }
  return score;
}

it(
  'no verb leaves a tree in which links are swapped all the while, and plain calls do',
  async () => {
    using control = await prepared();
    using againstPlain = await attack(control);
    const plain = await play(control, UNGUARDED, CONTROL_SECONDS, ({ escapes }) => escapes > 0);
    await againstPlain.retreat();
    expect(plain.escapes).toBeGreaterThan(0);

    using home = await prepared();
    using attacker = await attack(home);
    const guarded = await play(home, GUARDED, SECONDS, ({ escapes }) => escapes > 0);
    await attacker.retreat();
    console.info(`raced: ${JSON.stringify({ plain, guarded })}`);
    expect(guarded.escapes).toBe(0);
    expect(guarded.refused).toBeGreaterThan(0);
    expect(await home.tree.remove(ROOT, { recursive: true })).toMatchObject({ files: expect.any(Number) });
  },
  (SECONDS + CONTROL_SECONDS + 60) * 1000,
);
