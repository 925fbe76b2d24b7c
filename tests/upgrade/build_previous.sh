#!/usr/bin/env bash
# Builds the program of the previous version, once, for the tests of upgrades.
#
#   build_previous.sh SOURCE FOLDER      SOURCE: the checkout. The program is FOLDER/holdfast afterwards.
#
# The previous version is the last one in the file `releases` that has another number than CMakeLists.txt. HOLDFAST_TEST_PREVIOUS_COMMIT
# names another commit. It is built without tests and without pages: both are of no matter here.
set -euo pipefail
unset CDPATH

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

[[ $# -eq 2 ]] || fail "usage: build_previous.sh SOURCE FOLDER"
source=$1
folder=$2

# version_at COMMIT
version_at() { git -C "$source" show "$1:CMakeLists.txt" 2>/dev/null | sed -n 's/^project(holdfast VERSION \([0-9.]*\).*/\1/p'; }

previous_commit() {
  local version commit now found=""
  if [[ -n ${HOLDFAST_TEST_PREVIOUS_COMMIT:-} ]]; then
    git -C "$source" rev-parse --verify "$HOLDFAST_TEST_PREVIOUS_COMMIT^{commit}"
    return
  fi
  now=$(version_at HEAD)
  while read -r version commit; do
    [[ $version == "#" || $version == "$now" ]] || found=$commit
  done <"$source/tests/upgrade/releases"
  git -C "$source" rev-parse --verify --quiet "$found^{commit}"
}

commit=$(previous_commit) || [[ -z ${HOLDFAST_TEST_PREVIOUS_COMMIT:-} ]] ||
  fail "HOLDFAST_TEST_PREVIOUS_COMMIT names no commit of this checkout: '$HOLDFAST_TEST_PREVIOUS_COMMIT'"
[[ -n $commit ]] || fail "this checkout's history has not the previous version (a shallow clone?): git fetch --unshallow"
tree=$folder/$commit/source
program=$tree/build/release/holdfast
if [[ ! -x $program ]]; then
  printf 'building %s (version %s)\n' "$commit" "$(version_at "$commit")"
  rm -rf -- "${folder:?}/$commit"
  mkdir -p "$tree"
  git -C "$source" archive "$commit" | tar -x -C "$tree"
  # As ./dev build does it, and from the same cache.
  export CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$tree
  log=$folder/$commit/build.log
  # Version 0.1.0 stops at what its libraries use and libstdc++ 14 calls deprecated.
  { cmake -S "$tree" -B "$tree/build/release" -G Ninja -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 \
    -DCMAKE_CXX_FLAGS=-Wno-deprecated-declarations -DCMAKE_BUILD_TYPE=Release -DHOLDFAST_TESTS=OFF &&
    cmake --build "$tree/build/release" --target holdfast --parallel "${DEV_JOBS:-2}"; } >"$log" 2>&1 ||
    fail "$(tail -n 40 "$log")" "the previous version could not be built; the whole log is $log"
fi
ln -sfn "$program" "$folder/holdfast"
"$folder/holdfast" --version
