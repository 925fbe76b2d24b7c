#!/usr/bin/env bash
# What a newcomer does, in a Debian with nothing on it: the commands of README.md, read out of it, so that the two cannot drift apart.
#
#   ## Start      the blocks marked `sh` are the set-up, then `./dev run`; each of its other blocks marked `sh` is asked of the server,
#                 and the block marked `http` after it begins with the answer's first line
#   ## Test       the block marked `sh` is the test command
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.."

readonly url=http://localhost:50002
readonly ready_seconds_max=3600   # the whole build, with a cold cache of the compiler

say() { printf 'newcomer: %s\n' "$*" >&2; }
fail() {
  printf 'newcomer: %s\n' "$@" >&2
  exit 1
}

# block SECTION LANGUAGE N: the N-th block of that language under `## SECTION`; nothing when there are fewer.
block() {
  awk -v section="## $1" -v fence="\`\`\`$2" -v wanted="$3" '
    /^```/ { printing = !open && here && $0 == fence && ++found == wanted; open = !open; next }
    printing { print }
    !open && /^## / { here = ($0 == section) }
  ' README.md
}

# start: the set-up, one command a line, up to `./dev run`, which goes to the background.
start() {
  local commands command
  commands=$(block Start sh 1)
  [[ $(tail -n 1 <<<"$commands") == ./dev\ run* ]] ||
    fail "README.md: the first block marked sh under '## Start' must end with ./dev run; it is:" "$commands"
  while IFS= read -r command; do
    command=${command%%#*}
    say "$command"
    if [[ $command == ./dev\ run* ]]; then
      bash -c "exec $command" </dev/null &
      server=$!
    else
      bash -c "$command" </dev/null || fail "'$command' failed with status $?"
    fi
  done <<<"$commands"
}

wait_until_ready() {
  local deadline=$((SECONDS + ready_seconds_max))
  until curl -fs -o /dev/null --max-time 5 "$url/readyz"; do
    kill -0 "$server" 2>/dev/null || fail "./dev run ended before the server was ready"
    [[ $SECONDS -lt $deadline ]] || fail "the server was not ready after $ready_seconds_max s"
    sleep 1
  done
}

# page PATH TEXT: it is there, has TEXT, and so is all that it loads from here.
page() {
  local body asset
  body=$(curl -fsS --max-time 10 "$url$1") || fail "$1 is not there"
  [[ $body == *"$2"* ]] || fail "$1 is not the page that it should be: there is no '$2' in it"
  while IFS= read -r asset; do
    curl -fsS -o /dev/null --max-time 10 "$url/${asset#/}" || fail "$1 loads $asset, which is not there"
  done < <(grep -oE '(src|href)="[^":]+\.(js|css|svg)"' <<<"$body" | cut -d '"' -f 2)
  say "$1 is there"
}

# ask: each further block of `## Start` against the answer that README.md promises.
ask() {
  local n command answer got
  for ((n = 2; ; n++)); do
    command=$(block Start sh "$n")
    [[ -n $command ]] || break
    answer=$(block Start http $((n - 1)) | head -n 1)
    [[ -n $answer ]] || fail "README.md shows no answer to this:" "$command"
    got=$(bash -c "$command" 2>/dev/null | tr -d '\r') || fail "this of README.md failed:" "$command"
    [[ $(head -n 1 <<<"$got") == "$answer" ]] || fail "README.md promises '$answer' for this:" "$command" "The answer was:" "$got"
    say "$answer, as promised for: $(head -n 1 <<<"$command")"
  done
  [[ $n -gt 2 ]] || fail "README.md has no request to try under '## Start'"
}

stop() {
  local status=0
  kill -INT "$server"
  wait "$server" || status=$?
  [[ $status -eq 0 ]] || fail "the server's end was not clean: status $status"
  say "the server stopped"
}

begun=$SECONDS
start
wait_until_ready
page / '<div id="page">'
page /console '<div id="page">'
page /docs '<title>Holdfast API</title>'
ask
stop
say "set-up, build and a server that answers: $(((SECONDS - begun) / 60)) min $(((SECONDS - begun) % 60)) s"

test_command=$(block Test sh 1)
[[ $test_command == ./dev\ test* ]] || fail "README.md: the first block marked sh under '## Test' must be the test command; it is '$test_command'"
say "$test_command"
exec bash -c "$test_command"
