#!/usr/bin/env bash
# The program's build needs what the program needs: neither tests that cannot be configured nor what is left of them stop it.
set -uo pipefail
real=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd -P)
root=$(mktemp -d)
trap 'rm -rf -- "$root"' EXIT
# shellcheck source=/dev/null
source "$real/scripts/common.sh"
# shellcheck source=/dev/null
source "$real/scripts/build.sh"

# A small project in place of the real one: its tests take a tool that can be taken away.
mkdir -p "$root/build"
cat >"$root/CMakeLists.txt" <<'TEXT'
cmake_minimum_required(VERSION 3.25)
project(small NONE)
option(HOLDFAST_TESTS "" OFF)
option(HOLDFAST_BENCH "" OFF)
if(HOLDFAST_TESTS AND NOT EXISTS "${CMAKE_SOURCE_DIR}/tool")
  message(FATAL_ERROR "there is no tool")
endif()
message(STATUS "tests ${HOLDFAST_TESTS} bench ${HOLDFAST_BENCH}")
TEXT

# has PARTS: what the folder is configured with now.
has() { [[ $(cat "$root/build/release/.parts") == "$1" ]] || { printf 'parts are "%s" and should be "%s"\n' "$(cat "$root/build/release/.parts")" "$1" && exit 1; }; }
# configured PART…: configure, which must succeed, as the program's build calls it.
configured() { (configure release "$@") 2>"$root/log" 9>/dev/null || { cat "$root/log" && exit 1; }; }

configured
has ""
if (configure release tests) 2>"$root/log" 9>/dev/null; then printf 'tests were configured without their tool\n' && exit 1; fi
grep -q "there is no tool" "$root/log" || { cat "$root/log" && exit 1; }
configured                       # what is left of the failure does not stop the program
has ""
touch "$root/tool"
configured tests
has tests
configured                       # the program between two tests: nothing is thrown away
has tests
configured bench
has "tests bench"
rm "$root/tool"
touch "$root/CMakeLists.txt"     # so that Ninja configures again, and cannot
configured
has ""
