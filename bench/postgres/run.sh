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
# shellcheck source=bench/database.sh
source "$root/bench/database.sh"

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
options=(--lock "$redis")
[[ $feed -eq 0 ]] || options+=(--feed "kafka://$HOLDFAST_TEST_KAFKA")
unset "${!HOLDFAST_@}"   # the program refuses variables of its name that it does not know
readonly postgresql redis options

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  stop_nodes
  local name
  for name in bench_run bench_prepared bench_plain; do drop_database "$name" || true; done
  rm -rf -- "$work/run"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# warm_up NODE: one reservation, of a seat at the end of the plan that no run comes to, so that the node has the event in memory.
warm_up() {
  local n=$((seats - $1)) seat
  printf -v seat '%08x-0000-4000-8000-%012x' "$n" "$n"
  curl -fsS --max-time 60 -o "$work/run/warm_up" -H 'Content-Type: application/json' \
    -d "{\"seatId\": \"$seat\", \"customerId\": \"customer-0000000\"}" "http://127.0.0.1:$(port_of "$1")/reservations" ||
    fail "node $1 did not take the first reservation: $(cat "$work/run/warm_up")"
}

# --- one run each; they leave "rate won p50 p99 broken batch commit behind" in $work/result ---

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

# follow_tables WANTED: waits until the tables have all of the journal, which must be so many reservations. "milliseconds
# reservations-after-a-second", the second one as WANTED when they had all of them by then.
follow_tables() {
  local began=$EPOCHREALTIME there after_second="" behind=0
  while [[ -n $(lagging bench_run) ]]; do
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
  copy_database bench_prepared
  redis-cli -u "$redis" flushall >/dev/null
  start_nodes bench_run "$1" "${options[@]}"
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
  check_run "$answers" "$refused" "$3"
  stop_nodes
  if [[ $behind -ge 1000 ]]; then
    rate=$(awk -v kept="$kept" -v won="$won" -v answers="$answers" -v s="$seconds" 'BEGIN { printf "%.0f", answers * kept / won / (s + 1) }')
  fi
  printf '%s\n' "$rate $((won / seconds)) $p50 $p99 $broken $(mean_of holdfast_batch_commands 1 1) $(mean_of holdfast_commit_seconds 1000000 0) $behind" \
    >"$work/result"
}

# check_run ANSWERS REFUSED SCRIPT: a rate of a run that went wrong is none.
check_run() {
  local twice
  [[ $2 -eq 0 || $3 == */hot.lua ]] || fail "$2 of $1 answers were not 201: --seats is too small, or see $work/holdfast.1.log"
  check_answers
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
create_database bench_plain
if [[ $ours -eq 1 ]]; then
  [[ -x $holdfast ]] || fail "$holdfast is not built; start this with ./dev bench postgres"
  prepare_database bench_prepared
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
