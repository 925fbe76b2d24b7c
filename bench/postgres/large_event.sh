#!/usr/bin/env bash
# One large event over PostgreSQL, from its import to a restart of its node: how long each step takes, and what memory it needs. The seats have no
# ids of their own, so their UUIDs are spread over all of an index, which is the worst case of an import.
#
# Started by ./dev bench large, which installs and builds what it takes, and runs a private PostgreSQL for it. All shares this machine. What it
# writes is under build/bench/large: some 70 bytes a seat. The database has some 470 bytes a seat, and up to max_wal_size of log beside them.
set -euo pipefail
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin:/sbin"

here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
root=$(cd -- "$here/../.." && pwd -P)
holdfast=$root/build/release/holdfast
work=$root/build/bench/large
readonly here root work

# shellcheck source=bench/common.sh
source "$root/bench/common.sh"

seats=1000000
patience=3600
keep=0

usage() {
  cat <<'TEXT'
usage: ./dev bench large [--seats N] [--patience SECONDS] [--program FILE] [--keep]

  --seats N            seats of the event (default 1000000)
  --patience SECONDS   how long the import, the tables and the first hold may take, each (default 3600)
  --program FILE       another build of the program (default build/release/holdfast)
  --keep               leave the database bench_large there
TEXT
}

while [[ $# -gt 0 ]]; do
  case $1 in
    --seats | --patience)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "$1 wants a number"
      declare "${1#--}=$2"
      shift 2
      ;;
    --program) holdfast=$(readlink -f -- "${2:?--program wants a file}") && shift 2 ;;
    --keep) keep=1 && shift ;;
    -h | --help) usage && exit ;;
    *) usage >&2 && fail "unknown argument '$1'" ;;
  esac
done

postgresql=${HOLDFAST_TEST_POSTGRESQL:?start this with ./dev bench large}
unset "${!HOLDFAST_@}"   # the program refuses variables of its name that it does not know
url=${postgresql%/*}/bench_large
readonly postgresql url

sql() { psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$@"; }
maintenance=postgresql://postgres@${postgresql#*@}
administer() { sql "${maintenance%/*}/postgres" -c "$1"; }

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  stop_sampler
  stop_server
  rm -f -- "$work/event.json" "$work/samples"
  [[ $keep -eq 1 ]] || administer "DROP DATABASE IF EXISTS bench_large WITH (FORCE)" 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

say() { printf '%-44s %s\n' "$1" "$2"; }
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }'; }
port() { cat "$work/port"; }
node_is_ready() { curl -fs --max-time 5 "http://127.0.0.1:$(port)/readyz"; }

# start_node: seconds until it is ready.
start_node() {
  local began=$EPOCHREALTIME
  rm -f -- "$work/port"
  "$holdfast" serve --ledger "$url" --port 0 --port-file "$work/port" >"$work/holdfast.log" 2>&1 </dev/null &
  server=$!
  wait_until "the node" "$work/holdfast.log" node_is_ready
  started=$(since "$began")
}

# Megabytes of memory: the node's, at the moment or at most; and of all processes of the server together, shared memory once.
node_memory() { awk -v line="$1:" '$1 == line { printf "%.0f", $2 / 1024 }' "/proc/$server/status"; }
database_memory() {
  { pgrep -P "$1" && printf '%s\n' "$1"; } | sed 's|.*|/proc/&/smaps_rollup|' | xargs cat 2>/dev/null |
    awk '/^Pss:/ { sum += $2 } END { printf "%.0f\n", sum / 1024 }'
}

# sample_memory: the server's, once a second until it is stopped.
sample_memory() {
  local postmaster
  postmaster=$(head -n 1 "$(administer 'SHOW data_directory')/postmaster.pid")
  while :; do
    database_memory "$postmaster" || true   # a process may end meanwhile
    sleep 1
  done >"$work/samples"
}

write_event() {
  awk -v seats="$seats" 'BEGIN {
    printf "{\"name\":\"Large\",\"startsAt\":\"2030-02-24T19:30:00Z\",\"venue\":\"House\",\"currency\":\"EUR\",\"status\":\"on_sale\","
    printf "\"categories\":[{\"name\":\"Hall\",\"price\":45}],\"seats\":["
    for (i = 0; i < seats; i++)
      printf "%s{\"section\":\"S%d\",\"row\":\"%d\",\"number\":\"%d\",\"category\":\"Hall\"}", i ? "," : "", i / 40000, i % 40000 / 200 + 1, i % 200 + 1
    printf "]}" }' >"$work/event.json"
}

# Nothing is printed once the tables have all of the journal.
lagging() {
  sql "$url" -c "SELECT 1 FROM (SELECT max(first_seq + changes - 1) AS seq FROM holdfast.journal) j WHERE seq IS DISTINCT FROM (SELECT max(seq) FROM holdfast.step)"
}

# hold SEAT: "status seconds".
hold() {
  curl -sS --max-time "$patience" -o "$work/answer" -w '%{http_code} %{time_total}' -H 'Content-Type: application/json' \
    -d "{\"seatId\": \"$1\", \"customerId\": \"anna\"}" "http://127.0.0.1:$(port)/reservations"
}

# get PATH: "status seconds bytes".
get() { curl -sS --max-time "$patience" -o "$work/answer" -w '%{http_code} %{time_total} s, %{size_download} bytes' "http://127.0.0.1:$(port)$1"; }

wait_for_tables() {
  local began=$EPOCHREALTIME
  while [[ -n $(lagging) ]]; do
    [[ ${EPOCHREALTIME%.*} -lt $((${began%.*} + patience)) ]] || fail "the tables do not have the event after $patience s"
    sleep 0.5
  done
  say "seconds more until the tables have it" "$(since "$began")"
}

import_event() {
  local answer wal
  sample_memory &
  sampler=$!
  wal=$(sql "$url" -c 'SELECT pg_current_wal_lsn()')
  answer=$(curl -sS --max-time "$patience" -o "$work/answer" -w '%{http_code}, %{time_total}' -H 'Content-Type: application/json' \
    -T "$work/event.json" -X POST "http://127.0.0.1:$(port)/v1/events") || fail "no answer to the import in $patience s"
  say "POST /v1/events: status, seconds" "$answer"
  [[ $answer == 201* ]] || fail "the event was not made: $(head -c 500 "$work/answer")"
  wait_for_tables
  stop_sampler
  say "node: most and present memory, MB" "$(node_memory VmHWM), $(node_memory VmRSS)"
  say "database server: most memory, MB" "$(sort -g "$work/samples" | tail -n 1)"
  say "database: size" "$(sql "$url" -c 'SELECT pg_size_pretty(pg_database_size(current_database()))')"
  say "write-ahead log of the import" "$(sql "$url" -c "SELECT pg_size_pretty(pg_current_wal_lsn() - '$wal'::pg_lsn)")"
}

look_at_event() {
  local event seat answer began
  event=$(sql "$url" -c 'SELECT id FROM holdfast.event_state')
  seat=$(sql "$url" -c "SELECT uuid FROM holdfast.seat WHERE event = 1 AND seat = $((seats - 1))")
  stop_server
  start_node
  say "restart: seconds until /readyz" "$started"
  began=$EPOCHREALTIME
  answer=$(hold "$seat")
  say "first hold, which loads the event: status, s" "$answer"
  while [[ $answer == 503* && ${EPOCHREALTIME%.*} -lt $((${began%.*} + patience)) ]]; do sleep 0.5 && answer=$(hold "$seat"); done
  say "seconds until it is held" "$(since "$began"), status ${answer% *}"
  [[ $answer == 201* ]] || fail "it cannot be held: $(head -c 500 "$work/answer")"
  seat=$(sql "$url" -c "SELECT uuid FROM holdfast.seat WHERE event = 1 AND seat = $((seats / 2))")
  say "second hold: status, seconds" "$(hold "$seat")"
  say "node: most and present memory, MB" "$(node_memory VmHWM), $(node_memory VmRSS)"
  say "GET /v1/events/{id}" "$(get "/v1/events/$event")"
  say "GET /v1/events/{id}/seats?limit=1000" "$(get "/v1/events/$event/seats?limit=1000")"
  say "GET /v1/events/{id}/states" "$(get "/v1/events/$event/states")"
  say "GET /v1/reservations?eventId={id}" "$(get "/v1/reservations?eventId=$event")"
  began=$EPOCHREALTIME
  sql "$url" -c "SELECT count(*) FROM (SELECT * FROM public.tickets WHERE event_id = '$event' LIMIT 1000) t" >"$work/answer"
  say "tickets of the event LIMIT 1000" "$(cat "$work/answer") rows, $(since "$began") s"
  began=$EPOCHREALTIME
  sql "$url" -c "SELECT count(*) FROM public.tickets_blocked" >"$work/answer"
  say "tickets_blocked" "$(cat "$work/answer") rows, $(since "$began") s"
}

mkdir -p "$work"
versions() { printf '%s, %s' "$("$holdfast" --version | head -n 1)" "$(sql "${maintenance%/*}/postgres" -c "SELECT 'postgresql ' || current_setting('server_version')")"; }
machine
say "seats" "$seats"
administer "DROP DATABASE IF EXISTS bench_large WITH (FORCE)"
administer "CREATE DATABASE bench_large OWNER holdfast"
"$holdfast" migrate --ledger "$url" >"$work/migrate.log" 2>&1 || { cat "$work/migrate.log" >&2 && fail "holdfast migrate failed"; }
write_event
start_node
import_event
look_at_event
stop_server
