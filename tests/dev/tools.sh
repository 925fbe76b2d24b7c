#!/usr/bin/env bash
# A tool that is too old is named with the version that is wanted, before anything is compiled; and a bare Debian that cannot be made is a
# failure.
set -uo pipefail
real=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd -P)
root=$(mktemp -d)
trap 'rm -rf -- "$root"' EXIT
export XDG_CACHE_HOME=$root/cache
# shellcheck source=/dev/null
for part in common setup node build bare; do source "$real/scripts/$part.sh"; done

fail_test() {
  printf '%s\n' "$@"
  exit 1
}

# fake NAME LINE…: a program in front of the real one.
mkdir "$root/bin"
PATH=$root/bin:$PATH
fake() {
  local name=$1
  shift
  printf '%s\n' '#!/bin/sh' "$@" >"$root/bin/$name"
  chmod +x "$root/bin/$name"
}

# refused WORD… -- COMMAND…: it ends with status 2 and a message with each WORD.
refused() {
  local words=() word output status=0
  while [[ $1 != -- ]]; do
    words+=("$1")
    shift
  done
  shift
  output=$("$@" 2>&1 </dev/null) || status=$?
  [[ $status -eq 2 ]] || fail_test "$*: status $status instead of 2" "$output"
  for word in "${words[@]}"; do
    [[ $output == *"$word"* ]] || fail_test "$*: no '$word' in:" "$output"
  done
}

compiled=$root/compiled
fake clang++-19 "touch $compiled"
fake cmake 'echo "cmake version 3.20.0"'
refused 3.25 3.20.0 "$root/bin/cmake" -- build release holdfast
rm "$root/bin/cmake"
fake node 'echo "16.0.0 linux-x64"'
mkdir -p "$root/web/docs" && touch "$root/web/package-lock.json" "$root/web/docs/package-lock.json"
refused 18.19 16.0.0 "$root/bin/node" -- build release holdfast
[[ ! -e $compiled ]] || fail_test "the compiler was called before the tools were looked at"

# Namespaces take root, and what is asked here does not.
exec_as_root() { exec "$@"; }
missing_packages() { :; }
# shellcheck disable=SC2016  # the inner shell's arguments
fake unshare 'while [ "${1#--}" != "$1" ]; do shift; done' 'exec "$@"'
fake debootstrap 'echo "E: no such mirror"' 'exit 1'
refused "could not make a bare Debian" "no such mirror" -- with_bare_root bookworm fail_test
# shellcheck disable=SC2154  # scripts/bare.sh sets it
[[ -z $(find "$bare_folder" -mindepth 1 -type d) ]] || fail_test "a failed debootstrap leaves: $(find "$bare_folder")"
