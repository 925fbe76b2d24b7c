#!/usr/bin/env bash
# The names of tests in C++ have one style: Suite.ASentenceInCamelCase.
set -uo pipefail
tests=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd -P)

names() { grep -rnE --include='*.cc' --include='*.h' '\b(TEST|TEST_F|TEST_P|TYPED_TEST|RC_GTEST_PROP|RC_GTEST_FIXTURE_PROP)\(' "$1"; }

found=$(names "$tests" | wc -l)
[[ $found -ge 1000 ]] || { printf 'only %s tests were found\n' "$found" && exit 1; }
if names "$tests" | grep -vE '\([A-Z][A-Za-z0-9]*, (DISABLED_)?[A-Z][A-Za-z0-9]*[,)]'; then
  printf 'the tests above are not named like Suite.ASentenceInCamelCase\n'
  exit 1
fi
