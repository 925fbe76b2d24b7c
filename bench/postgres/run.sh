#!/usr/bin/env bash
# Durable reservations a second through Holdfast over PostgreSQL, with the seat lock in Redis, beside the plain version of the same work on
# the same server, in turns:
#
#   plain      pgbench, 16 clients, a transaction a reservation: lock the seat, look, mark it, write the reservation, write the outbox
#   holdfast   POST /reservations, answered when the journal (which is the outbox) has it; the tables follow behind it
#
# A rate of Holdfast counts only as far as its tables kept up: every reservation that was answered must be in the tables within a
# second of the end; if not, what was there by then counts, over a run that is longer by that second. Every other request is for
# a seat of its own; with `hot`, 90 % of them are for 1 % of the seats, and being told no is an answer.
#
# Started by ./dev bench postgres, which installs and builds what it takes, and runs a private PostgreSQL and Redis for it. All shares this
# machine with its clients. What it writes is under build/bench/postgres.
set -euo pipefail
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin:/sbin"

here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
root=$(cd -- "$here/../.." && pwd -P)
holdfast=$root/build/release/holdfast
work=$root/build/bench/postgres
readonly here root holdfast work

# shellcheck source=/dev/null
source "$root/bench/common.sh"

rounds=3
seconds=8
seats=1000000
plain=1
ours=1
feed=0
only=""
readonly plain_clients=16 warm_up_seats=1000 catch_up_seconds_max=60

usage() {
  cat <<'TEXT'
usage: ./dev bench postgres [--rounds N] [--seconds N] [--seats N] [--feed] [--plain-only | --holdfast-only] [--only NAME]

  --rounds N        how often each is measured, in turns; medians are printed (default 3)
  --seconds N       length of one run (default 8)
  --seats N         seats of the event, a multiple of 1,000 (default 1000000); they must outlast a run
  --feed            publish to Kafka meanwhile (default: the journal is written, and nobody reads it)
  --plain-only      pgbench only
  --holdfast-only   Holdfast only
  --only NAME       this run only, as it is named in the first column: --only "c=64"
TEXT
}

while [[ $# -gt 0 ]]; do
  case $1 in
    --rounds | --seconds | --seats)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "$1 wants a number"
      declare "${1#--}=$2"
      shift 2
      ;;
    --only) only=${2:?--only wants a name} && shift 2 ;;
    --feed) feed=1 && shift ;;
    --plain-only) ours=0 && shift ;;
    --holdfast-only) plain=0 && shift ;;
    -h | --help) usage && exit ;;
    *) usage >&2 && fail "unknown argument '$1'" ;;
  esac
done
[[ $((ours + plain)) -gt 0 ]] || fail "--plain-only and --holdfast-only leave nothing to do"
[[ $((seats % 1000)) -eq 0 ]] || fail "--seats wants a multiple of 1,000"

postgresql=${HOLDFAST_TEST_POSTGRESQL:?start this with ./dev bench postgres}
redis=${HOLDFAST_TEST_REDIS:?start this with ./dev bench postgres}
[[ $feed -eq 0 || -n ${HOLDFAST_TEST_KAFKA:-} ]] || fail "--feed takes a Kafka, and there is none (see above)"
unset "${!HOLDFAST_@}"   # the program refuses variables of its name that it does not know
readonly postgresql redis

# database NAME [ROLE]: the URL of another database of the same server.
database() {
  local url=${postgresql%/*}/$1
  [[ $# -eq 1 ]] || url="postgresql://$2@${url#*@}"
  printf '%s' "$url"
}
sql() { psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$@"; }
administer() { sql "$(database postgres postgres)" -c "$1"; }

# --- nodes: started for a run, stopped after it and by the trap ---

nodes=()

stop_nodes() {
  local node
  for node in "${nodes[@]}"; do kill "$node" 2>/dev/null || true; done
  for node in "${nodes[@]}"; do wait "$node" 2>/dev/null || true; done
  nodes=()
}

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  stop_nodes
  local name
  for name in bench_run bench_prepared bench_plain; do administer "DROP DATABASE IF EXISTS $name WITH (FORCE)" 2>/dev/null || true; done
  rm -rf -- "$work/run"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# start_nodes N: their ports are in $work/run/port.1 and so on.
start_nodes() {
  local node options=(--ledger "$(database bench_run)" --lock "$redis")
  [[ $feed -eq 0 ]] || options+=(--feed "kafka://$HOLDFAST_TEST_KAFKA")
  for ((node = 1; node <= $1; node++)); do
    "$holdfast" serve "${options[@]}" --port 0 --port-file "$work/run/port.$node" >"$work/holdfast.$node.log" 2>&1 </dev/null &
    server=$!
    nodes+=("$server")
    wait_until "node $node" "$work/holdfast.$node.log" node_is_ready "$node"
  done
}

port_of() { cat "$work/run/port.$1"; }
node_is_ready() { curl -fs --max-time 5 "http://127.0.0.1:$(port_of "$1")/readyz"; }

# warm_up NODE: one reservation, of a seat at the end of the plan that no run comes to, so that the node has the event in memory.
warm_up() {
  local n=$((seats - $1)) seat
  printf -v seat '%08x-0000-4000-8000-%012x' "$n" "$n"
  curl -fsS --max-time 60 -o "$work/run/warm_up" -H 'Content-Type: application/json' \
    -d "{\"seatId\": \"$seat\", \"customerId\": \"customer-0000000\"}" "http://127.0.0.1:$(port_of "$1")/reservations" ||
    fail "node $1 did not take the first reservation: $(cat "$work/run/warm_up")"
}

# metrics FILE N: what N nodes say, one after the other: metric() adds them up.
metrics() {
  local node
  for ((node = 1; node <= $2; node++)); do curl -fsS "http://127.0.0.1:$(port_of "$node")/metrics"; done >"$1"
}

# --- one run each; they leave "rate won p50 p99 broken batch commit behind" in $work/result ---

# The database with the event, made once by the program's own commands, then copied for every run, so that every run finds all seats free.
prepare_event() {
  local plan=$work/plan-$seats.json began=$EPOCHREALTIME
  write_plan "$plan"
  administer "DROP DATABASE IF EXISTS bench_prepared WITH (FORCE)"
  sql "$(database postgres)" -c "CREATE DATABASE bench_prepared"
  "$holdfast" migrate --ledger "$(database bench_prepared)" >"$work/migrate.log" 2>&1 || { cat "$work/migrate.log" >&2 && fail "holdfast migrate failed"; }
  fresh_folder
  "$holdfast" serve --ledger "$(database bench_prepared)" --port 0 --port-file "$work/run/port.1" >"$work/holdfast.1.log" 2>&1 </dev/null &
  server=$!
  nodes=("$server")
  wait_until "the node for the import" "$work/holdfast.1.log" node_is_ready 1
  "$holdfast" import --server "http://127.0.0.1:$(port_of 1)" --name Benchmark --keep-ids "$plan" >"$work/import.log" 2>&1 ||
    { cat "$work/import.log" >&2 && fail "the event could not be imported"; }
  stop_nodes
  awk -v a="$began" -v b="$EPOCHREALTIME" -v n="$seats" 'BEGIN { printf "imported %d seats in %.1f s\n", n, b - a }'
}

# load_all N CONNECTIONS SCRIPT: N nodes at once, each with its part of the seats; "rate p50 p99 refused broken answers", rates and counts
# added up, the worse percentiles.
load_all() {
  local node share=$(((seats - warm_up_seats) / $1)) loads=()
  for ((node = 1; node <= $1; node++)); do
    load "$(port_of "$node")" "$2" "$3" $((node * share)) $(((node - 1) * share)) >"$work/load.$node" &
    loads+=("$!")
  done
  for node in "${loads[@]}"; do wait "$node" || fail "wrk failed"; done
  cat "$work"/load.[0-9] | awk '{ rate += $1; if ($2 > p50) p50 = $2; if ($3 > p99) p99 = $3; refused += $4; broken += $5; answers += $6 }
    END { printf "%.0f %d %d %d %d %d\n", rate, p50, p99, refused, broken, answers }'
}

reservations_in_tables() { sql "$(database bench_run)" -c "SELECT count(*) FROM holdfast.reservation"; }

# Nothing is printed once the tables have all of the journal. Cheap, so that asking takes nothing from whoever writes them.
lagging() {
  sql "$(database bench_run)" -c "SELECT e.number FROM holdfast.event e
    CROSS JOIN LATERAL (SELECT first_seq + changes - 1 AS seq FROM holdfast.journal j WHERE j.event = e.number ORDER BY first_seq DESC, ordinal DESC LIMIT 1) j
    LEFT JOIN LATERAL (SELECT seq FROM holdfast.step s WHERE s.event = e.number ORDER BY base_seq DESC, base_ordinal DESC LIMIT 1) s ON true
    WHERE s.seq IS DISTINCT FROM j.seq"
}

# follow_tables WANTED: waits until the tables have all of the journal, which must be so many reservations. "milliseconds
# reservations-after-a-second", the second one as WANTED when they had all of them by then.
follow_tables() {
  local began=$EPOCHREALTIME there after_second="" behind=0
  while [[ -n $(lagging) ]]; do
    behind=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.0f", (b - a) * 1000 }')
    [[ -n $after_second || $behind -lt 1000 ]] || after_second=$(reservations_in_tables)
    [[ $behind -lt $((catch_up_seconds_max * 1000)) ]] ||
      fail "the tables do not have all of the journal $catch_up_seconds_max s after the end: see $work/after for the lag"
  done
  there=$(reservations_in_tables)
  [[ $there -ge $1 ]] || fail "the tables have $there reservations, and $1 were answered"
  [[ $behind -ge 1000 ]] || after_second=$1
  printf '%s %s\n' "$behind" "$after_second"
}

# run_holdfast NODES CONNECTIONS SCRIPT
run_holdfast() {
  local node rate p50 p99 refused broken answers behind kept won
  fresh_folder
  administer "DROP DATABASE IF EXISTS bench_run WITH (FORCE)"
  administer "CREATE DATABASE bench_run TEMPLATE bench_prepared OWNER holdfast STRATEGY file_copy"
  redis-cli -u "$redis" flushall >/dev/null
  start_nodes "$1"
  for ((node = 1; node <= $1; node++)); do warm_up "$node"; done
  administer CHECKPOINT
  settle
  rm -f -- "$work"/load.[0-9]
  metrics "$work/before" "$1"
  load_all "$1" "$2" "$3" >"$work/load"
  read -r rate p50 p99 refused broken answers <"$work/load"
  won=$((answers - refused))
  # The warm-up's reservations are in the tables too.
  read -r behind kept < <(follow_tables $((won + $1)))
  [[ -n ${kept:-} ]] || fail "it cannot be told whether the tables kept up"
  kept=$((kept - $1))
  metrics "$work/after" "$1"
  check_run "$answers"
  stop_nodes
  if [[ $behind -ge 1000 ]]; then
    rate=$(awk -v kept="$kept" -v won="$won" -v answers="$answers" -v s="$seconds" 'BEGIN { printf "%.0f", answers * kept / won / (s + 1) }')
  fi
  printf '%s\n' "$rate $((won / seconds)) $p50 $p99 $broken $(mean_of holdfast_batch_commands 1 1) $(mean_of holdfast_commit_seconds 1000000 0) $behind" \
    >"$work/result"
}

# check_run ANSWERS: a rate of a run that went wrong is none.
check_run() {
  local twice
  twice=$(sql "$(database bench_run)" -c "SELECT count(*) - count(DISTINCT SeatId) FROM Reservations WHERE Status = 'active'")
  [[ $twice -eq 0 ]] || fail "$twice seats have more than one owner"
  # Every answer that wrk counted must have gone through a batch.
  awk -v answers="$1" -v before="$(metric "$work/before" holdfast_batch_commands_sum)" \
    -v after="$(metric "$work/after" holdfast_batch_commands_sum)" 'BEGIN { exit !(after - before >= answers) }' ||
    fail "wrk counted $1 answers, more than the nodes decided (see $work/before and after)"
}

# run_plain HOT_PERCENT
run_plain() {
  local report=$work/pgbench.log url won
  url=$(database bench_plain)
  sql "$url" -v seats="$seats" -f "$here/plain_schema.sql" 2>"$work/plain_schema.log" || { cat "$work/plain_schema.log" >&2 && fail "the plain tables could not be made"; }
  administer CHECKPOINT
  settle
  "$pgbench" --no-vacuum --protocol=prepared --client="$plain_clients" --jobs=1 --time="$seconds" --file="$here/plain.sql" \
    -D i=0 -D hot_percent="$1" -D hot_seats=$((seats / 100)) -D share=$((seats * 99 / 100 / plain_clients)) "$url" >"$report" 2>&1 ||
    { cat "$report" >&2 && fail "pgbench failed"; }
  won=$(sql "$url" -c "SELECT count(*) FROM plain.reservation r JOIN plain.seat s ON s.id = r.seat AND s.state = 1")
  [[ $won -eq $(sql "$url" -c "SELECT count(*) FROM plain.outbox") ]] || fail "the plain version contradicts itself"
  awk -v won="$won" -v seconds="$seconds" '/^tps = / { tps = $3 } /^latency average = / { latency = $4 * 1000 }
    /^number of failed transactions: / { failed = $5 }
    END { printf "%.0f %d %.0f - %d - - -\n", tps, won / seconds, latency, failed }' "$report" >"$work/result"
}

# --- the report ---

versions() {
  local list=("$(sql "$(database postgres)" -c "SELECT 'postgresql ' || current_setting('server_version')")")
  [[ $ours -eq 0 ]] || list+=("$("$holdfast" --version 2>/dev/null | head -n 1)" "$(redis-server --version | awk '{ print "redis " substr($3, 3) }')")
  local IFS=,
  printf '%s' "${list[*]}"
}

print_run() { printf '%-16s %9s %9s %8s %8s %7s %8s %10s %10s\n' "$@"; }
print_header() { printf '\n' && print_run "$1" "per s" "201 per s" "p50 us" "p99 us" "broken" "batch" "commit us" "behind ms"; }

run_by_name() {
  local reserve=$root/bench/http/reserve.lua hot=$here/hot.lua
  case $1 in
    plain) run_plain 0 ;;
    "plain hot") run_plain 90 ;;
    c=64) run_holdfast 1 64 "$reserve" ;;
    c=256) run_holdfast 1 256 "$reserve" ;;
    "2 nodes c=64") run_holdfast 2 64 "$reserve" ;;
    "2 nodes c=256") run_holdfast 2 256 "$reserve" ;;
    "hot c=64") run_holdfast 1 64 "$hot" ;;
    "hot c=256") run_holdfast 1 256 "$hot" ;;
    *) fail "there is no run '$1'" ;;
  esac
}

ulimit -n "$(ulimit -Hn)"
mkdir -p "$work"
pgbench=$(find /usr/lib/postgresql/*/bin -name pgbench 2>/dev/null | sort -V | tail -n 1)
pgbench=${pgbench:-$(command -v pgbench)} || fail "there is no pgbench; Debian's package postgresql has it"
machine
printf 'a 4 KiB write on the bare disk, O_DSYNC: %s µs\n' "$(bare_disk)"
sql "$(database postgres)" -c "DROP DATABASE IF EXISTS bench_plain" -c "CREATE DATABASE bench_plain" 2>/dev/null
if [[ $ours -eq 1 ]]; then
  [[ -x $holdfast ]] || fail "$holdfast is not built; start this with ./dev bench postgres"
  prepare_event
fi

names=()
for name in plain c=64 c=256 "2 nodes c=64" "2 nodes c=256" "plain hot" "hot c=64" "hot c=256"; do
  [[ -z $only || $only == "$name" ]] || continue
  if [[ $name == plain* ]]; then [[ $plain -eq 1 ]] || continue; else [[ $ours -eq 1 ]] || continue; fi
  names+=("$name")
done
[[ ${#names[@]} -gt 0 ]] || fail "there is no run '$only'"

print_header run
for ((round = 0; round < rounds; round++)); do
  for name in "${names[@]}"; do measure "$name" run_by_name "$name"; done
done

print_header "median of $rounds"
broken=0
for name in "${names[@]}"; do
  print_run "$name" "$(column "$name" 1)" "$(column "$name" 2)" "$(column "$name" 3)" "$(column "$name" 4)" "$(total "$name" 5)" \
    "$(column "$name" 6)" "$(column "$name" 7)" "$(column "$name" 8)"
  broken=$((broken + $(total "$name" 5)))
done
if [[ $((ours * plain)) -eq 1 && -z $only ]]; then
  printf '\nholdfast / plain: %s at 64 connections, %s at 256; two nodes %s and %s; hot seats %s and %s\n' \
    "$(ratio c=64 plain)" "$(ratio c=256 plain)" "$(ratio "2 nodes c=64" plain)" "$(ratio "2 nodes c=256" plain)" \
    "$(ratio "hot c=64" "plain hot")" "$(ratio "hot c=256" "plain hot")"
fi
printf '\nplain: 16 clients of pgbench; p50 is its mean latency. behind: from the end until the tables had every reservation that was answered.\n'
[[ $broken -eq 0 ]] || fail "$broken requests got no answer: these rates are not of reservations"
