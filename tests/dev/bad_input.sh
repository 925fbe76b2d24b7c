#!/usr/bin/env bash
# What ./dev cannot do anything with is refused at once, with status 2 and a line that names it.
set -uo pipefail
root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd -P)
failed=0

# refuses WORD ARGUMENT…
refuses() {
  local word=$1 output status=0
  shift
  output=$("$root/dev" "$@" 2>&1 </dev/null) || status=$?
  if [[ $status -ne 2 || $output != *"$word"* ]]; then
    printf './dev %s: status %s, and no line with %s:\n%s\n' "$*" "$status" "$word" "$output"
    failed=1
  fi
}

refuses "'nonsense'" nonsense
refuses "release, asan, tsan" build nonsense
refuses "release, asan, tsan" build release asan
refuses "'nonsense'" setup nonsense
refuses "'--repeat'" test --repeat
refuses "'--with-services'" test asan --with-services
refuses "'nonsense'" test bare nonsense
refuses "one release" test bare bookworm trixie
refuses "'nonsense'" test package nonsense
refuses "one release" test package bookworm trixie
refuses "no arguments" test full nonsense
refuses "no arguments" test api-fuzz nonsense
refuses "'nonsense'; there are: change_decoder, chunk_decoder, event_reader, json_body, parse_head" fuzz nonsense
refuses "from 1 to 86400, not '0'" fuzz 0
refuses "from 1 to 86400, not '86401'" fuzz json_body 86401
refuses "from 1 to 86400, not 'nonsense'" fuzz json_body nonsense
refuses "a NAME and a number of SECONDS" fuzz json_body 1 2
refuses "no arguments" package nonsense
refuses "'nonsense'" bench nonsense
refuses "'nonsense'" services up nonsense
refuses "usage" services nonsense
refuses "--check" fmt nonsense
refuses "--changed" lint nonsense
refuses "--changed" lint --changed nonsense
refuses "no arguments" clean nonsense
# script_refuses WORD SCRIPT ARGUMENT…: the same of a script that somebody may call by hand; any status but 0.
script_refuses() {
  local word=$1 output status=0
  shift
  output=$("$@" 2>&1 </dev/null) || status=$?
  if [[ $status -eq 0 || $output != *"$word"* ]]; then
    printf '%s: status %s, and no line with %s:\n%s\n' "$*" "$status" "$word" "$output"
    failed=1
  fi
}

script_refuses "no arguments" "$root/.ci/run" nonsense
script_refuses "DEV_JOBS" env DEV_JOBS=many "$root/dev" build
script_refuses "DEV_JOBS" env DEV_JOBS=0 "$root/dev" build
script_refuses "usage" "$root/tests/upgrade/build_previous.sh"
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
script_refuses "'nonsense'" env HOLDFAST_TEST_PREVIOUS_COMMIT=nonsense "$root/tests/upgrade/build_previous.sh" "$root" "$folder"
script_refuses "usage" "$root/tests/clients/generated/run.sh"
script_refuses "python, go, java" "$root/tests/clients/generated/run.sh" cobol /dev/null /dev/null "$folder"
exit "$failed"
