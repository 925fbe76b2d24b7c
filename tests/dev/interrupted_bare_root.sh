#!/usr/bin/env bash
# ./dev test bare that is interrupted, or killed, leaves no mount and no process behind, and its folder only until the next start: while
# debootstrap makes the root, and while commands run in it.
set -uo pipefail
root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd -P)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
folders() { find "$root/build/bare" -mindepth 1 -maxdepth 1 -type d 2>/dev/null; }
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
being_made() { pgrep -f "debootstrap .*$root/build/bare/" >/dev/null; }
somebody_inside() { [[ -n $(inside) ]]; }
nobody_makes_one() { ! being_made; }
nobody_inside() { [[ -z $(inside) ]]; }
no_folder() { [[ -z $(folders) ]]; }

no_folder || fail_test "another ./dev test bare runs: $(folders)"
cache=$(mktemp -d)
trap 'rm -rf -- "$log" "$cache"' EXIT

# interrupted SIGNAL UNTIL ENVIRONMENT…: starts it, waits until the function UNTIL is true, and ends it.
interrupted() {
  local signal=$1 until=$2
  shift 2
  env "$@" "$root/dev" test bare bookworm >"$log" 2>&1 </dev/null &
  dev=$!
  until_true 600 "$until" || fail_test "it did not get as far as '$until'"
  kill -s "$signal" "$dev"
  wait "$dev"
  until_true 30 nobody_inside || fail_test "after SIG$signal in '$until' these are left: $(inside)"
  until_true 30 nobody_makes_one || fail_test "after SIG$signal in '$until' debootstrap goes on: $(pgrep -af debootstrap)"
  ! grep -q "$root/build/bare" /proc/mounts || fail_test "after SIG$signal there are mounts: $(grep "$root/build/bare" /proc/mounts)"
  if [[ $signal == TERM ]]; then
    no_folder || fail_test "after SIGTERM in '$until' the folder is still there: $(folders)"
  else
    # shellcheck source=/dev/null
    (source "$root/scripts/common.sh" && source "$root/scripts/bare.sh" && remove_ended_roots)
    no_folder || fail_test "the next start leaves the folder of a killed run: $(folders)"
  fi
}
for signal in TERM KILL; do
  interrupted "$signal" being_made XDG_CACHE_HOME="$cache"
  interrupted "$signal" somebody_inside
done
