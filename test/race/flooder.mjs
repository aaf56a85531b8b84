/**
 * A hostile process inside a tree that only makes as many changes as it can: two files by turns, because the kernel tells the
 * same change of one file only once. Ends with its standard input. Usage: node flooder.mjs TREE
 */
import { utimesSync } from 'node:fs';

const [, , tree] = process.argv;

function play() {
  for (let round = 0; round < 1000; round++) {
    utimesSync(`${tree}/dir/file`, round, round);
    utimesSync(`${tree}/dir/sub/inner`, round, round);
  }
  setImmediate(play);
}

process.stdin.on('end', () => process.exit(0)).resume();
play();
