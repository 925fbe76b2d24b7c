#!/usr/bin/env bash
# On a system other than Debian 12 or 13, ./dev setup installs nothing: it names what is missing, and the package of Debian that holds it.
set -uo pipefail
root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd -P)
# shellcheck source=/dev/null
source "$root/scripts/common.sh"
# shellcheck source=/dev/null
source "$root/scripts/setup.sh"

system_name() { printf 'fedora 43'; }
install_packages() { printf 'installed: %s\n' "$*"; }
everything=("${build_packages[@]}" "${test_packages[@]}" "${lint_packages[@]}" "${bench_packages[@]}" "${browser_packages[@]}" "${package_packages[@]}"
  "${full_packages[@]}" "${fuzz_packages[@]}" "${peers_packages[@]}")

fail_test() {
  printf '%s\n' "$@"
  exit 1
}

# Each package of every command has a sign by which its contents are known elsewhere.
for package in "${everything[@]}" libboost-dev nodejs npm postgresql default-jre-headless maven nginx-light golang-go; do
  [[ -n ${sign_of[$package]:-} ]] || fail_test "setup.sh: sign_of has no $package"
done

# With nothing but the shell's own tools.
for kind in "" test bench peers browser fuzz go package full lint; do
  status=0
  # shellcheck disable=SC2086,SC2123  # no argument rather than an empty one; no program is found, on purpose
  output=$(PATH=/nonexistent && cmd_setup $kind 2>&1) || status=$?
  [[ $status -eq 2 ]] || fail_test "setup $kind: status $status instead of 2" "$output"
  [[ $output == *"fedora 43"* && $output == *"clang++-19 (clang-19)"* && $output == *"boost/version.hpp (libboost-dev)"* ]] ||
    fail_test "setup $kind does not name what is missing:" "$output"
  [[ $output != *installed:* ]] || fail_test "setup $kind installed something" "$output"
done
[[ $output == *"shellcheck (shellcheck)"* ]] || fail_test "setup lint does not name shellcheck:" "$output"

# A header that is there is not missing, for the compiler that is there.
output=$(lacks_on_another_system "fedora 43" zlib1g-dev git 2>&1) || fail_test "zlib.h is here, and was not found:" "$output"
