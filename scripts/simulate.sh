# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# ./dev simulate: the embedded node in one thread under seeds (tests/simulation). The program checks its own arguments.

cmd_simulate() {
  cmd_setup test
  build release simulate tests
  "$root/build/release/tests/simulation/simulate" "$@"
}
