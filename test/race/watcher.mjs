/**
 * A file watcher without a guard: says `astray` and ends when it tells of something outside. Usage: node watcher.mjs TREE CANARY
 */
import { watch } from 'chokidar';

const [, , tree, canary] = process.argv;
watch(tree, { followSymlinks: false, atomic: false })
  .on('error', () => undefined)
  .on('all', (_, path) => {
    if (!path.includes(canary)) return;
    process.stdout.write('astray\n', () => process.exit(0));
  });
