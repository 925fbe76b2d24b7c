# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# ./dev test: build everything of one flavour, then ctest. Its closing lines are the command's. Tests that are declared with
# SERVICES find these running, and their URLs in HOLDFAST_TEST_….

cmd_test() {
  case ${1:-} in
    api-fuzz | bare | package | full)
      local what=$1
      shift
      "cmd_test_${what//-/_}" "$@"
      return
      ;;
  esac
  local flavour=release names=()
  if [[ $# -gt 0 ]] && is_flavour "$1"; then
    flavour=$1
    shift
  fi
  local parts=(tests services) without=()
  if [[ ${1:-} == --without-services ]]; then
    parts=(tests)
    without=("^services:")
    shift
  fi
  while [[ $# -gt 0 && $1 != -- ]]; do
    [[ $1 != -* ]] || fail "'$1' looks like an argument for ctest: put it after --"
    names+=("$1")
    shift
  done
  [[ $# -eq 0 ]] || shift

  cmd_setup test
  # The pages are tested in a real browser, in one flavour (tests/browser/CMakeLists.txt says why).
  [[ $flavour != release ]] || cmd_setup browser
  # The checker of recorded histories (tests/linearizability) is in Go.
  [[ $flavour != release ]] || cmd_setup go
  if [[ $flavour == release ]]; then
    npm_install everything || fail "npm ci failed (see above): some of the tests are written for Node.js"
  fi
  build "$flavour" all "${parts[@]}"

  # What is labelled `full` takes long: only when it is asked for.
  local select=()
  [[ ${#names[@]} -gt 0 || $# -gt 0 ]] || without+=('^full$')
  [[ ${#without[@]} -eq 0 ]] || select+=(-LE "$(IFS='|' && printf '%s' "${without[*]}")")
  [[ ${#names[@]} -eq 0 ]] || select+=(-R "$(IFS='|' && printf '%s' "${names[*]}")")

  # Under sanitizers the property tests take ten times as long, so they take fewer cases.
  [[ $flavour == release ]] || export RC_PARAMS="${RC_PARAMS:-max_success=500}"

  export_sanitizer_options

  # No test at all is an error: a filter that matches nothing must not look like success.
  local ctest=(ctest --test-dir "$root/build/$flavour" "${select[@]}" "$@") service services=()
  for service in "${all_services[@]}"; do
    "${ctest[@]}" -N -L "^services:.*$service" </dev/null | grep -q '^Total Tests: 0$' || services+=("$service")
  done
  ctest+=(--output-on-failure --no-tests=error --parallel 2)
  if [[ ${#services[@]} -eq 0 ]]; then
    "${ctest[@]}" </dev/null
  else
    with_services "${services[@]}" -- "${ctest[@]}" </dev/null
  fi
}

# export_sanitizer_options: a finding ends the program that has it, with a stack that names functions; the caller's own options come last
# and win.
export_sanitizer_options() {
  local symbolizer
  symbolizer=$(command -v llvm-symbolizer-19 || command -v llvm-symbolizer || true)
  export ASAN_SYMBOLIZER_PATH=$symbolizer UBSAN_SYMBOLIZER_PATH=$symbolizer
  local asan=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1
  export ASAN_OPTIONS="$asan${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
  export UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"
  export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1:external_symbolizer_path=$symbolizer${TSAN_OPTIONS:+:$TSAN_OPTIONS}"
}
