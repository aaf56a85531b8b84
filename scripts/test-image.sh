#!/usr/bin/env bash
# Builds the image and runs it the way operators are told to: read-only, without capabilities, as a user of its own, with
# an agent's container beside it that sees one workspace. `npm run test:image`. Everything it starts, it removes.
# Needs podman, and as root a machine to itself for some minutes; where podman is absent it says so and does nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "test:image: $*"; }
fail() {
  say "FAILED: $*" >&2
  exit 1
}

if ! command -v podman >/dev/null; then
  say "skipped, podman is not installed (Debian: apt-get install podman buildah runc debootstrap)"
  exit 0
fi

source scripts/image/base.sh
source scripts/image/checks.sh

readonly RUN="workspaced-test-$$"
readonly OWNER=1500
WORK=$(mktemp -d)
export WORK

clean_up() {
  local status=$?
  local container
  for container in "$RUN" "$RUN-agent" "$RUN-other"; do
    [ "$status" = 0 ] || podman logs --tail 20 "$container" 2>/dev/null || true
    podman rm --force --time 2 "$container" >/dev/null 2>&1 || true
  done
  podman rmi --force "localhost/$RUN" "localhost/$RUN-agent" >/dev/null 2>&1 || true
  podman image prune --force --filter "label=test=$RUN" >/dev/null 2>&1 || true
  rm -rf "$WORK"
}
trap clean_up EXIT

# Without systemd there is no manager for control groups; without CAP_SYS_RESOURCE the engine's own limits can't be raised.
ENGINE=(podman)
[ -d /run/systemd/system ] || ENGINE+=(--cgroup-manager cgroupfs)
LIMITS=(--ulimit nofile=10000:10000 --ulimit nproc=4096:4096)
CONFINED=(--read-only --read-only-tmpfs=false --cap-drop ALL --security-opt no-new-privileges)

build() {
  local name=$1 context=$2
  "${ENGINE[@]}" build --quiet --format docker --isolation chroot --network host --pull-never --label "test=$RUN" \
    --build-arg "UID=$OWNER" --build-arg "GID=$OWNER" --tag "localhost/$name" "$context" >"$WORK/build.log" 2>&1 \
    || fail "the image of $context does not build: $(tail -n 20 "$WORK/build.log")"
}

# A data root on the host that belongs to the user given, as operators make it.
data_root() {
  install --directory --owner="$2" --group="$2" --mode=0750 "$WORK/$1"
  printf '%s' "$WORK/$1"
}

# start NAME IMAGE [options]: confined as far as an engine can.
start() {
  local name=$1 image=$2
  shift 2
  "${ENGINE[@]}" run --detach --name "$name" "${LIMITS[@]}" "${CONFINED[@]}" "$@" "localhost/$image" \
    >/dev/null 2>"$WORK/start.log" || fail "$name does not start: $(cat "$WORK/start.log")"
}

start_daemon() {
  local name=$1 data=$2
  shift 2
  start "$name" "$RUN" --publish 127.0.0.1::8080 --volume "$data:/data" "$@"
}

chmod 0755 "$WORK"
ensure_base "$WORK"
began=$(date +%s%N)
build "$RUN" .
say "image built in $((($(date +%s%N) - began) / 1000000)) ms, $(podman image inspect --format '{{.Size}}' "localhost/$RUN" | numfmt --to=iec) with its base, $(podman image inspect --format '{{.Size}}' "$BASE" | numfmt --to=iec) of them the base's"
build "$RUN-agent" examples/agent

DATA=$(data_root data "$OWNER")
start_daemon "$RUN" "$DATA" --env "MOUNT_DIR=$DATA"
await_health "$RUN"
check_contents
check_process
check_transfer
check_agent
check_snippet
check_restart
check_other_user
say "passed"
