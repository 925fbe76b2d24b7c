#!/usr/bin/env bash
# ./dev test bare that is interrupted, or killed, leaves no mount and no process behind, and its folder only until the next start.
set -uo pipefail
root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd -P)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
folders() { find "$root/build/bare" -mindepth 1 -maxdepth 1 -type d -name '*-bookworm' 2>/dev/null; }
# inside: processes whose root is such a folder.
inside() { find /proc/[0-9]*/root -maxdepth 0 -lname "$root/build/bare/*" 2>/dev/null; }

fail_test() {
  cat "$log"
  printf '%s\n' "$@"
  exit 1
}

# until_true SECONDS COMMAND…
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [[ $SECONDS -lt $deadline ]] || return 1
    sleep 0.2
  done
}
somebody_inside() { [[ -n $(inside) ]]; }
nobody_inside() { [[ -z $(inside) ]]; }
no_folder() { [[ -z $(folders) ]]; }

no_folder || fail_test "another ./dev test bare runs: $(folders)"
for signal in TERM KILL; do
  "$root/dev" test bare bookworm >"$log" 2>&1 </dev/null &
  dev=$!
  until_true 600 somebody_inside || fail_test "nothing was started inside of the root"
  kill -s "$signal" "$dev"
  wait "$dev"
  until_true 30 nobody_inside || fail_test "after SIG$signal these are left: $(inside)"
  ! grep -q "$root/build/bare" /proc/mounts || fail_test "after SIG$signal there are mounts: $(grep "$root/build/bare" /proc/mounts)"
  if [[ $signal == TERM ]]; then
    no_folder || fail_test "after SIGTERM the folder is still there: $(folders)"
  else
    # shellcheck source=/dev/null
    (source "$root/scripts/common.sh" && source "$root/scripts/bare.sh" && remove_ended_roots)
    no_folder || fail_test "the next start leaves the folder of a killed run: $(folders)"
  fi
done
