#!/usr/bin/env bash
# Durable reservations a second through programs as people write them today, beside Holdfast over the same servers, in turns:
#
#   cart        Django and gunicorn: a transaction with SELECT … FOR UPDATE of the seat's row, then the insert of the reservation (django_cart)
#   over pg     Holdfast over the same PostgreSQL
#   lock        the seat reservation of contract 1 in Go: a lock in Redis, a transaction in PostgreSQL, a message in Kafka (redis_lock)
#   over all    Holdfast over the same PostgreSQL, Redis and Kafka
#   folder      Holdfast with a data folder: none of these servers
#
# All get the same requests, POST /reservations by the same wrk: each for another seat, or, with `hot`, 90 % of them for 1 % of the seats, where
# being told no is an answer. A rate of Holdfast counts only as far as its tables and its messages kept up: if they are more than a second late
# at the end, the run is longer by all that time. After each run no seat may have two owners, and the database and Kafka must have every
# reservation that was answered.
#
# Started by ./dev bench peers, which installs and builds what it takes, and runs private servers for it. All shares this machine with its
# client. What it writes is under build/bench/peers.
set -euo pipefail
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin:/sbin"

here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
root=$(cd -- "$here/../.." && pwd -P)
holdfast=$root/build/release/holdfast
peers=$root/build/peers
work=$root/build/bench/peers
readonly here root holdfast peers work

# shellcheck source=bench/common.sh
source "$root/bench/common.sh"
# shellcheck source=bench/database.sh
source "$root/bench/database.sh"
# shellcheck source=bench/folder.sh
source "$root/bench/folder.sh"

rounds=3
seconds=5
seats=600000
only=""
readonly systems=("cart" "over pg" "lock" "over all" "folder")
readonly warm_up_seats=1000 warm_up_seconds=1 catch_up_seconds_max=60

usage() {
  cat <<'TEXT'
usage: ./dev bench peers [--rounds N] [--seconds N] [--seats N] [--only NAME]

  --rounds N    how often each is measured, in turns; medians are printed (default 3)
  --seconds N   length of one run (default 5)
  --seats N     seats of the event, a multiple of 1,000 (default 600000); they must outlast a run
  --only NAME   only the runs of: cart, "over pg", lock, "over all" or folder
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
    -h | --help) usage && exit ;;
    *) usage >&2 && fail "unknown argument '$1'" ;;
  esac
done
[[ $((seats % 1000)) -eq 0 && $seats -gt $warm_up_seats ]] || fail "--seats wants a multiple of 1,000, and more than $warm_up_seats"
wanted=()
for system in "${systems[@]}"; do [[ -n $only && $only != "$system" ]] || wanted+=("$system"); done
[[ ${#wanted[@]} -gt 0 ]] || fail "--only wants one of: cart, \"over pg\", lock, \"over all\", folder; not '$only'"

postgresql=${HOLDFAST_TEST_POSTGRESQL:?start this with ./dev bench peers}
redis=${HOLDFAST_TEST_REDIS:?start this with ./dev bench peers}
kafka=${HOLDFAST_TEST_KAFKA:-}
[[ -n $kafka || " ${wanted[*]} " != *" lock "* && " ${wanted[*]} " != *" over all "* ]] ||
  fail "the lock, and Holdfast beside it, publish to Kafka, and Kafka does not run: its jars come from Maven Central (see above)." \
    "Without them there are --only cart, --only \"over pg\" and --only folder"
unset "${!HOLDFAST_@}"   # the program refuses variables of its name that it does not know
readonly postgresql redis kafka

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  stop_server
  stop_nodes
  local name
  for name in bench_run bench_holdfast bench_cart bench_lock; do drop_database "$name" || true; done
  rm -rf -- "$work/run"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# --- what is prepared once: a database for each system with all seats free, which is copied for every run ---

# cart_over DATABASE: the words before a command of the cart, in `cart`.
cart_over() {
  cart=(env --chdir="$here/django_cart" PYTHONPATH=. PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=cart.settings
    CART_POSTGRESQL="$(database "$1")")
}

has_event=""   # bench_holdfast is prepared: two systems use it

prepare() {
  case $1 in
    cart)
      create_database bench_cart
      cart_over bench_cart
      "${cart[@]}" "$peers/venv/bin/django-admin" migrate --run-syncdb --verbosity 0
      sql "$(database bench_cart)" -v seats="$seats" -f "$here/django_cart/seats.sql"
      ;;
    lock)
      create_database bench_lock
      sql "$(database bench_lock)" -v seats="$seats" -f "$here/redis_lock/schema.sql"
      ;;
    "over "*)
      [[ -n $has_event ]] || prepare_database bench_holdfast
      has_event=1
      ;;
    folder) prepare_folder ;;
  esac
}

# --- starting: each leaves the port in `port`, the topic of its messages in `topic`, and one process ---

port=""
topic=""
topics=0

next_topic() {
  topics=$((topics + 1))
  prefix=bench-$$-$topics.
  topic=${prefix}reservation-created
}

start() {
  topic=""
  case $1 in
    cart)
      copy_database bench_cart
      port=$(free_port)
      cart_over bench_run
      "${cart[@]}" "$peers/venv/bin/gunicorn" --config gunicorn.conf.py --bind "127.0.0.1:$port" cart.wsgi >"$work/cart.log" 2>&1 </dev/null &
      server=$!
      wait_until "the cart" "$work/cart.log" curl -fs --max-time 5 "http://127.0.0.1:$port/health"
      ;;
    lock)
      copy_database bench_lock
      port=$(free_port)
      next_topic
      "$peers/bin/redis_lock" -listen "127.0.0.1:$port" -postgresql "$(database bench_run)" -redis "$redis" -kafka "$kafka" -topic "$topic" \
        >"$work/lock.log" 2>&1 </dev/null &
      server=$!
      wait_until "the lock" "$work/lock.log" curl -fs --max-time 5 "http://127.0.0.1:$port/health"
      ;;
    "over pg") start_over_postgresql ;;
    "over all")
      next_topic
      # A ledger and its copies have one relay. Each run's has a name of its own, so that none takes another's position for its own.
      start_over_postgresql --lock "$redis" --feed "kafka://$kafka" --feed-topic-prefix "$prefix" --feed-transactional-id "${prefix}relay"
      ;;
    folder)
      cp -r --reflink=auto "$work/prepared-$seats" "$work/run/data"
      port=$(free_port)
      start_folder "$work/run/data" "$port"
      ;;
  esac
}

start_over_postgresql() {
  copy_database bench_holdfast
  start_nodes bench_run 1 "$@"
  port=$(port_of 1)
}

stop() {
  case $1 in
    "over "*) stop_nodes ;;
    *) stop_server ;;
  esac
}

# --- what a run has written ---

# has_all SYSTEM: all that follows an answer has followed. The peers answer after that.
has_all() {
  case $1 in
    "over pg") [[ -z $(lagging bench_run) ]] ;;
    "over all") [[ -z $(lagging bench_run) ]] && [[ $(published) -ge $(reservations_in_tables) ]] ;;
    folder) tables_have_all "$port" ;;
  esac
}

# published: messages about new reservations that Kafka has from the node.
published() {
  metrics "$work/published" 1
  awk -v messages="$(metric "$work/published" 'holdfast_feed_messages_total{topic="reservation-created"}')" 'BEGIN { printf "%d", messages }'
}

# follow SYSTEM: milliseconds until it has all.
follow() {
  local began=$EPOCHREALTIME behind=0
  until has_all "$1"; do
    behind=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.0f", (b - a) * 1000 }')
    [[ $behind -lt $((catch_up_seconds_max * 1000)) ]] || fail "$1: tables or messages are not complete $catch_up_seconds_max s after the end"
    sleep 0.05
  done
  printf '%s' "$behind"
}

# counted SYSTEM: "reservations seats" of its tables, active ones.
counted() {
  local query
  case $1 in
    cart) query="SELECT count(*), count(DISTINCT seat_id) FROM cart_reservation WHERE status = 'active'" ;;
    lock) query="SELECT count(*), count(DISTINCT seatid) FROM reservations WHERE status = 'active'" ;;
    "over "*) query="SELECT count(*), count(DISTINCT SeatId) FROM Reservations WHERE Status = 'active'" ;;
    folder)
      sqlite3 -readonly -separator ' ' "$work/run/data/state.db" \
        "SELECT count(*), count(DISTINCT seats) FROM reservation WHERE status = 'active'"   # each has one seat
      return
      ;;
  esac
  sql "$(database bench_run)" --field-separator ' ' -c "$query"
}

# --- one run; it leaves "rate won p50 p99 refused broken behind" in $work/result ---

# run SYSTEM KIND CONNECTIONS
run() {
  local system=$1 script=$root/bench/http/reserve.lua before after
  [[ $2 != hot ]] || script=$root/bench/postgres/hot.lua
  fresh_folder
  redis-cli -u "$redis" flushall >/dev/null
  start "$system"
  warm_up "$system" "$3"
  administer CHECKPOINT
  settle
  before=$(counted "$system")
  [[ $system == cart || $system == lock ]] || curl -fsS "http://127.0.0.1:$port/metrics" >"$work/before"
  load "$port" "$3" "$script" $((seats - warm_up_seats)) >"$work/load"
  behind=$(follow "$system")
  [[ $system == cart || $system == lock ]] || curl -fsS "http://127.0.0.1:$port/metrics" >"$work/after"
  after=$(counted "$system")
  check_run "$system" "$2" "$before" "$after"
  stop "$system"
  awk -v seconds="$seconds" -v behind="$behind" '{
      rate = $1
      if (behind >= 1000) rate = $6 / (seconds + behind / 1000)
      printf "%.0f %.0f %d %d %d %d %d\n", rate, $6 ? rate * ($6 - $4) / $6 : 0, $2, $3, $4, $5, behind
    }' "$work/load" >"$work/result"
}

# warm_up SYSTEM CONNECTIONS: the last seats again and again, so that connections are open and the event is in memory.
warm_up() {
  seconds=$warm_up_seconds load "$port" "$2" "$root/bench/http/reserve.lua" "$seats" $((seats - warm_up_seats)) >"$work/warm_up"
  follow "$1" >"$work/warm_up.behind"
}

# check_run SYSTEM KIND BEFORE AFTER: a rate of a run that went wrong is none.
check_run() {
  local refused answers had has owned log=$work/$1.log
  read -r _ _ _ refused _ answers <"$work/load"
  read -r had _ <<<"$3"
  read -r has owned <<<"$4"
  [[ $has -eq $owned ]] || fail "$1: $((has - owned)) seats have more than one owner"
  [[ $((has - had)) -ge $((answers - refused)) ]] || fail "$1: $((answers - refused)) were answered 201, and the database has $((has - had))"
  [[ $2 == hot || $refused -eq 0 ]] || fail "$1: $refused of $answers answers were not 201: --seats is too small, or see the logs in $work"
  case $1 in
    cart | lock) ! grep -m 3 -iE 'error|traceback' "$log" >&2 || fail "$1 failed, see $log" ;;
    *) check_answers ;;
  esac
  [[ -z $topic ]] || "$peers/bin/kafka_count" "$kafka" "$topic" "$has" >"$work/kafka_count" || fail "$1: Kafka does not have every reservation"
}

# --- the report ---

versions() {
  local list=("$("$holdfast" --version | head -n 1)" "$(sql "$(database postgres)" -c "SELECT 'postgresql ' || current_setting('server_version')")"
    "$(redis-server --version | awk '{ print "redis " substr($3, 3) }')" "$(sed -n 's/^\(Django\|gunicorn\|psycopg\)==/\1 /p' "$here/django_cart/requirements.txt" | paste -sd ,)"
    "$(go version | cut -d ' ' -f 3)")
  local IFS=,
  printf '%s' "${list[*]}"
}

print_run() { printf '%-20s %9s %9s %8s %8s %9s %7s %10s\n' "$@"; }
print_header() { printf '\n' && print_run "$1" "per s" "201 per s" "p50 us" "p99 us" "not 201" "broken" "behind ms"; }

# print_times PEER HOLDFAST: how many times the peer's rates Holdfast has, over the same servers and with a folder.
print_times() {
  local peer=$1 beside=$2 kind
  for kind in "${kinds[@]}"; do
    print_ratios "$peer $kind" "$(ratio "$beside $kind" "$peer $kind")" "$(ratio "$beside $kind" "$peer $kind" 2)" \
      "$(ratio "folder $kind" "$peer $kind")" "$(ratio "folder $kind" "$peer $kind" 2)"
  done
}
print_ratios() { printf '%-20s %9s %9s %13s %9s\n' "$@"; }

ulimit -n "$(ulimit -Hn)"
mkdir -p "$work"
[[ -x $holdfast && -x $peers/bin/redis_lock && -x $peers/venv/bin/gunicorn ]] || fail "not all is built; start this with ./dev bench peers"
machine
printf 'a 4 KiB write on the bare disk, O_DSYNC: %s µs\n' "$(bare_disk)"
for system in "${wanted[@]}"; do prepare "$system"; done

kinds=("c=64" "c=256" "hot c=64" "hot c=256")
print_header run
for ((round = 0; round < rounds; round++)); do
  for kind in "${kinds[@]}"; do
    for system in "${wanted[@]}"; do measure "$system $kind" run "$system" "${kind% *}" "${kind##*=}"; done
  done
done

print_header "median of $rounds"
broken=0
for kind in "${kinds[@]}"; do
  for system in "${wanted[@]}"; do
    name="$system $kind"
    print_run "$name" "$(column "$name" 1)" "$(column "$name" 2)" "$(column "$name" 3)" "$(column "$name" 4)" "$(total "$name" 5)" \
      "$(total "$name" 6)" "$(column "$name" 7)"
    broken=$((broken + $(total "$name" 6)))
  done
done
if [[ -z $only ]]; then
  printf '\nholdfast, times the peer:  the same servers               a folder\n'
  print_ratios "" "per s" "201 per s" "per s" "201 per s"
  print_times cart "over pg"
  print_times lock "over all"
fi
[[ $broken -eq 0 ]] || fail "$broken requests got no answer: these rates are not of reservations"
