// Loaded before anything else (`node --require`), by every Node there is: what follows needs a newer one, and on an
// older one the database library would crash without a word. CommonJS and plain syntax, so that old versions reach the sentence.
const [major, minor, patch] = process.versions.node.split('.').map(Number);
const NEEDED = [22, 22, 2];
const isOlder = major - NEEDED[0] || minor - NEEDED[1] || patch - NEEDED[2];

if (isOlder < 0) {
  process.stderr.write(
    `workspaced needs Node ${NEEDED.join('.')} or newer, and this is ${process.versions.node}. ` +
      'On Linux x64 `npm ci` brings a fitting one along (do not pass --omit=optional); elsewhere install Node 24.\n',
  );
  process.exit(1);
}
