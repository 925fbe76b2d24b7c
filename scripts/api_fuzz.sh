# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# ./dev test api-fuzz: schemathesis makes requests from the OpenAPI document, right ones and wrong ones, and judges the answers.

readonly fuzz_examples=${HOLDFAST_FUZZ_EXAMPLES:-50}   # an operation

cmd_test_api_fuzz() {
  [[ $# -eq 0 ]] || fail "test api-fuzz takes no arguments"
  local tools=$root/build/schemathesis folder port server=0 status=0
  cmd_setup
  build release holdfast
  local wanted=$root/tests/openapi/fuzz-requirements.txt
  if ! cmp -s "$wanted" "$tools/installed.txt"; then
    say "dev: installing schemathesis into build/schemathesis"
    { python3 -m venv --clear "$tools" &&
      "$tools/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" && cp "$wanted" "$tools/installed.txt"; } >&2 ||
      fail "schemathesis could not be installed: it takes python3-venv and a registry that pip reaches"
  fi

  folder=$(mktemp -d)
  # The program refuses variables that begin with its name and that it does not know.
  local variables
  mapfile -t variables < <(compgen -e HOLDFAST_)
  env "${variables[@]/#/--unset=}" "$root/build/release/holdfast" serve --data "$folder/data" --port 0 --port-file "$folder/port" 2>"$folder/log" &
  server=$!
  for _ in {1..200}; do
    [[ ! -s $folder/port ]] || break
    sleep 0.05
  done
  port=$(cat "$folder/port") || fail "the server did not start; its log is $folder/log"

  # Not the checks that guess from a schema alone which value must be accepted: bytes are counted where a schema counts characters, ids must
  # exist, and a path's segment that is no UUID is 404. Not what has no end: /live. One worker: two at a time parse Python's own source
  # in two threads, which CPython 3.11 (Debian 12's) answers now and then with "AST constructor recursion depth mismatch".
  (
    cd "$folder"
    "$tools/bin/schemathesis" run "http://127.0.0.1:$port/openapi.json" --url "http://127.0.0.1:$port" \
      --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance \
      --exclude-operation-id followStates --max-examples "$fuzz_examples" --seed "${HOLDFAST_TEST_SEED:-1}" --workers 1 --no-color
  ) || status=$?
  kill -TERM "$server" && wait "$server" || status=1   # an end that is not clean is a failure too
  if [[ $status -eq 0 ]]; then
    rm -rf -- "$folder"
  else
    fail "api-fuzz found something, see above; the server's log is $folder/log"
  fi
}
