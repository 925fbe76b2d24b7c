#!/usr/bin/env bash
# run.sh LANGUAGE DOCUMENT HOLDFAST FOLDER: generates a client in python, go or java from the OpenAPI document, builds it in FOLDER, and lets it hold,
# be refused, consume and repeat against the real program. The generators and what they need come by their registries, at pinned versions.
# Status 77: this machine cannot build it, and the last line says why.
set -euo pipefail
export LC_ALL=C.UTF-8

[[ $# -eq 4 ]] || { printf 'usage: %s LANGUAGE DOCUMENT HOLDFAST FOLDER\n' "$0" >&2 && exit 2; }
[[ $1 == python || $1 == go || $1 == java ]] || { printf '%s: there is no client in "%s"; there are: python, go, java\n' "$0" "$1" >&2 && exit 2; }
here=$(cd -- "$(dirname -- "$0")" && pwd -P)
language=$1 document=$(readlink -f -- "$2") holdfast=$(readlink -f -- "$3")
mkdir -p -- "$4"
folder=$(cd -- "$4" && pwd -P)

skip() {
  printf 'skipped: %s\n' "$*"
  exit 77
}

# ---- each language: build_… makes the client, run_… URL SEAT SEAT lets it work

build_python() {
  python3 -c 'import ensurepip' 2>/dev/null || skip "there is no python3 with venv (python3-venv)"
  local wanted=$here/python/requirements.txt tools=$folder/venv
  if ! cmp -s "$wanted" "$tools/installed.txt"; then
    python3 -m venv --clear "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$tools/installed.txt"
  fi
  rm -rf -- "$folder/client"
  PATH=$tools/bin:$PATH openapi-python-client generate --path "$document" --output-path "$folder/client" | tee "$folder/generator.log"
  # What it cannot make a type of, it leaves out and says so.
  ! grep -qiE 'warning|unable|error' "$folder/generator.log" || { printf 'the generator leaves something out, see above\n' >&2 && return 1; }
}
run_python() { PYTHONPATH=$folder/client "$folder/venv/bin/python" "$here/python/client_test.py" "$@"; }

build_go() {
  command -v go >/dev/null || skip "there is no Go (golang-go)"
  export GOTOOLCHAIN=${GOTOOLCHAIN:-auto} GOFLAGS=-mod=mod
  # From 1.21 on, Go fetches the toolchain that a module asks for.
  go version | grep -qE ' go1\.(2[1-9]|[3-9][0-9])' || skip "oapi-codegen needs Go 1.21 or later; this is $(go version)"
  cp -- "$here/go/go.mod" "$here/go/go.sum" "$here/go/main.go" "$here/go/oapi-codegen.yaml" "$folder/"
  mkdir -p "$folder/client"
  (cd "$folder" && go tool oapi-codegen -config oapi-codegen.yaml "$document" && go vet ./... && go build -o generated-client .)
}
run_go() { "$folder/generated-client" "$@"; }

build_java() {
  if ! command -v mvn >/dev/null || ! command -v javac >/dev/null; then skip "there is no Maven, or no javac (maven, default-jdk-headless)"; fi
  cp -r -- "$here/java/." "$folder/"
  mvn --batch-mode --quiet -f "$folder/pom.xml" -Dholdfast.document="$document" package
}
run_java() { java -jar "$folder/target/generated-client.jar" "$@"; }

# ---- the program

server=0
stop() {
  [[ $server -eq 0 ]] || { kill -TERM "$server" && wait "$server"; } || true
}

"build_$language"
rm -rf -- "$folder/data" "$folder/port"
# The program refuses variables that begin with its name and that it does not know, such as those of the tests' servers.
mapfile -t variables < <(compgen -e HOLDFAST_)
env "${variables[@]/#/--unset=}" "$holdfast" serve --data "$folder/data" --port 0 --port-file "$folder/port" --log-file "$folder/log" &
server=$!
trap stop EXIT
for _ in {1..400}; do
  [[ ! -s $folder/port ]] || break
  kill -0 "$server"
  sleep 0.05
done
url=http://127.0.0.1:$(<"$folder/port")
curl -fsS -o "$folder/event.json" -H 'Content-Type: application/json' "$url/v1/events" -d '{"name":"An evening","currency":"EUR",
  "categories":[{"name":"Hall","price":45}],
  "seats":[{"id":"G-1","section":"A","row":"1","number":"1","category":"Hall"},{"id":"G-2","section":"A","row":"1","number":"2","category":"Hall"}]}'
"run_$language" "$url" G-1 G-2
printf 'the client in %s held, was refused, consumed and repeated\n' "$language"
