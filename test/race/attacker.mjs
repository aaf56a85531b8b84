/**
 * A hostile process inside a tree: swaps a directory for a link that leads outside, a file for another such link, and one
 * directory for another, as fast as it can, until its standard input ends. Usage: node attacker.mjs TREE OUTSIDE
 */
import { mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';

const [, , tree, outside] = process.argv;
process.chdir(tree);

/** A race lost to the other side (ENOENT, EEXIST, ENOTEMPTY …) is part of the game. */
function attempt(step) {
  try {
    step();
  } catch {
    return;
  }
}

function swap() {
  attempt(() => renameSync('dir', 'dir-away'));
  attempt(() => symlinkSync(outside, 'dir'));
  attempt(() => unlinkSync('dir'));
  attempt(() => renameSync('dir-away', 'dir'));
  attempt(() => renameSync('dir/file', 'dir/file-away'));
  attempt(() => symlinkSync(`${outside}/file`, 'dir/file'));
  attempt(() => unlinkSync('dir/file'));
  attempt(() => renameSync('dir/file-away', 'dir/file'));
}

/** What the victim's own verbs removed or moved away is put back, so that there is always something to race for. */
function restore() {
  attempt(() => mkdirSync('dir'));
  attempt(() => mkdirSync('dir/sub'));
  attempt(() => writeFileSync('dir/sub/inner', 'inside', { flag: 'wx' }));
  attempt(() => writeFileSync('dir/file', 'inside', { flag: 'wx' }));
}

function play() {
  for (let round = 0; round < 50; round++) swap();
  restore();
  setImmediate(play);
}

process.stdin.on('end', () => process.exit(0)).resume();
play();
