# shellcheck shell=bash
# shellcheck disable=SC2154  # `holdfast`, `work`, `seats` and `postgresql` are the benchmark's own
# What the benchmarks over PostgreSQL share beside bench/common.sh: databases of the server whose URL is `postgresql`, an event in one of them,
# and nodes of Holdfast over it. Every run works in the database bench_run.

# database NAME [ROLE]: the URL of another database of the same server.
database() {
  local url=${postgresql%/*}/$1
  [[ $# -eq 1 ]] || url="postgresql://$2@${url#*@}"
  printf '%s' "$url"
}
sql() { psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$@"; }
administer() { sql "$(database postgres postgres)" -c "$1"; }

# create_database NAME: an empty one, in place of one of that name.
create_database() {
  drop_database "$1"
  administer "CREATE DATABASE $1 OWNER holdfast"
}
drop_database() { PGOPTIONS='-c client_min_messages=warning' administer "DROP DATABASE IF EXISTS $1 WITH (FORCE)"; }   # no notice if there was none

# copy_database NAME: bench_run, as a copy of another.
copy_database() {
  drop_database bench_run
  administer "CREATE DATABASE bench_run TEMPLATE $1 OWNER holdfast STRATEGY file_copy"
}

# --- nodes: started for a run, stopped after it and by the benchmark's trap ---

nodes=()

# start_nodes DATABASE N [OPTION…]: their ports are in $work/run/port.1 and so on.
start_nodes() {
  local database=$1 count=$2 node
  shift 2
  for ((node = 1; node <= count; node++)); do
    "$holdfast" serve --ledger "$(database "$database")" "$@" --port 0 --port-file "$work/run/port.$node" >"$work/holdfast.$node.log" 2>&1 \
      </dev/null &
    server=$!
    nodes+=("$server")
    wait_until "node $node" "$work/holdfast.$node.log" node_is_ready "$node"
  done
}

stop_nodes() {
  local node
  for node in "${nodes[@]}"; do kill "$node" 2>/dev/null || true; done
  for node in "${nodes[@]}"; do wait "$node" 2>/dev/null || true; done
  nodes=()
  server=""
}

port_of() { cat "$work/run/port.$1"; }
node_is_ready() { curl -fs --max-time 5 "http://127.0.0.1:$(port_of "$1")/readyz"; }

# metrics FILE N: what N nodes say, one after the other: metric() adds them up.
metrics() {
  local node
  for ((node = 1; node <= $2; node++)); do curl -fsS "http://127.0.0.1:$(port_of "$node")/metrics"; done >"$1"
}

# --- the event, and its tables ---

# prepare_database NAME: a database with the event, made once by the program's own commands. A run works on a copy and finds all seats free.
prepare_database() {
  local plan=$work/plan-$seats.json began=$EPOCHREALTIME
  write_plan "$plan"
  create_database "$1"
  "$holdfast" migrate --ledger "$(database "$1")" >"$work/migrate.log" 2>&1 || { cat "$work/migrate.log" >&2 && fail "holdfast migrate failed"; }
  fresh_folder
  start_nodes "$1" 1
  "$holdfast" import --server "http://127.0.0.1:$(port_of 1)" --name Benchmark --keep-ids "$plan" >"$work/import.log" 2>&1 ||
    { cat "$work/import.log" >&2 && fail "the event could not be imported"; }
  until [[ -z $(lagging "$1") ]]; do   # an import ends before its tables do, and no run should have to wait for them
    kill -0 "$server" || fail "holdfast ended, see $work/holdfast.1.log"
    sleep 0.5
  done
  stop_nodes
  awk -v a="$began" -v b="$EPOCHREALTIME" -v n="$seats" 'BEGIN { printf "imported %d seats in %.1f s\n", n, b - a }'
}

# lagging DATABASE: nothing is printed once the tables have all of the journal. Cheap, so that asking takes nothing from whoever writes them.
lagging() {
  sql "$(database "$1")" -c "SELECT e.number FROM holdfast.event e
    CROSS JOIN LATERAL (SELECT first_seq + changes - 1 AS seq FROM holdfast.journal j WHERE j.event = e.number ORDER BY first_seq DESC, ordinal DESC LIMIT 1) j
    LEFT JOIN LATERAL (SELECT seq FROM holdfast.step s WHERE s.event = e.number ORDER BY base_seq DESC, base_ordinal DESC LIMIT 1) s ON true
    WHERE s.seq IS DISTINCT FROM j.seq"
}

reservations_in_tables() { sql "$(database bench_run)" -c "SELECT count(*) FROM holdfast.reservation"; }
