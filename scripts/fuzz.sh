# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# ./dev fuzz: searches for inputs that break a reader of foreign bytes (tests/fuzz), each for some seconds.

readonly fuzz_seconds_max=86400

# fuzz_targets: their names, one a line.
fuzz_targets() { find "$root/tests/fuzz" -name '*_fuzz.cc' -printf '%f\n' | sed 's/_fuzz\.cc$//' | sort; }

cmd_fuzz() {
  local name="" seconds=10 names
  mapfile -t names < <(fuzz_targets)
  if [[ $# -gt 0 && ! $1 =~ ^[0-9]+$ ]]; then
    [[ " ${names[*]} " == *" $1 "* ]] || fail "there is no fuzz target '$1'; there are: $(IFS=, && printf '%s' "${names[*]}" | sed 's/,/, /g')"
    name=$1
    shift
  fi
  [[ $# -le 1 ]] || fail "fuzz takes a NAME and a number of SECONDS"
  if [[ $# -eq 1 ]]; then
    [[ $1 =~ ^[1-9][0-9]{0,4}$ && $1 -le $fuzz_seconds_max ]] || fail "SECONDS must be a whole number from 1 to $fuzz_seconds_max, not '$1'"
    seconds=$1
  fi

  cmd_setup fuzz
  build fuzz fuzz_targets fuzz

  export_sanitizer_options
  # One target: its output as it comes. All of them: only the output of those that fail.
  local show=--output-on-failure
  [[ -z $name ]] || show=--verbose
  HOLDFAST_FUZZ_SECONDS=$seconds ctest --test-dir "$root/build/fuzz" -R "^fuzz\.${name:-.*}$" --no-tests=error --parallel 2 \
    --timeout $((seconds + 300)) "$show" </dev/null
}
