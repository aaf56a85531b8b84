#!/usr/bin/env bash
# Packs what is published: the compiled program and its papers. The Node that `npm ci` brings for old hosts is a help for
# checkouts, and is no dependency of the package. `npm run package` leaves the tarball in the current directory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
mkdir "$staging/workspaces"
cp -r dist LICENSE README.md CHANGELOG.md "$staging"
cp workspaces/README.md "$staging/workspaces"
node -e '
  const { scripts, devDependencies, optionalDependencies, ...published } = JSON.parse(fs.readFileSync("package.json", "utf8"));
  fs.writeFileSync(process.argv[1], JSON.stringify(published, null, 2) + "\n");
' "$staging/package.json"
chmod +x "$staging/dist/cli/main.js"
npm pack "$staging" --pack-destination .
