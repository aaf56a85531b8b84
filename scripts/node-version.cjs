// Loaded before anything else (`node --require`): a Node without type stripping would not even read src/main.ts. CommonJS and
// plain syntax, so that old versions reach the sentence.
const needed = require('../package.json').engines.node.replace('>=', '');
const [major, minor, patch] = needed.split('.').map(Number);
const [thisMajor, thisMinor, thisPatch] = process.versions.node.split('.').map(Number);

if ((thisMajor - major || thisMinor - minor || thisPatch - patch) < 0) {
  process.stderr.write(
    `workspaced needs Node ${needed} or newer, and this is ${process.versions.node}. ` +
      'On Linux x64 `npm ci` brings a fitting one along (do not pass --omit=optional); elsewhere install Node 24.\n',
  );
  process.exit(1);
}
