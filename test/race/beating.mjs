/** A process that watches a tree on its own event loop, and prints a dot as often as that lets it. Usage: node beating.mjs TREE */
import { watch } from 'chokidar';

watch(process.argv[2], { followSymlinks: false, atomic: false })
  .on('error', () => undefined)
  .on('ready', () => setInterval(() => process.stdout.write('.'), 20));
