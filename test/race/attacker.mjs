/**
 * A hostile process inside a tree: swaps a directory for a link that leads outside, a file for another such link, and one
 * directory for another, as fast as it can, until its standard input ends. A file watcher that is never let up for breath
 * never comes to look at anything, and so is not led astray: against one, it pauses now and then for as long as it is told.
 * Usage: node attacker.mjs TREE OUTSIDE PAUSE_MS
 */
import { mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';

const [, , tree, outside, pauseMs] = process.argv;
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
  for (let round = 0; round < 5; round++) swap();
  restore();
  if (pauseMs === '0') setImmediate(play);
  else setTimeout(play, Number(pauseMs));
}

process.stdin.on('end', () => process.exit(0)).resume();
play();
