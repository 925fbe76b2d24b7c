# shellcheck shell=bash
# shellcheck disable=SC2154  # `holdfast`, `work` and `seats` are the benchmark's own
# What the benchmarks with a data folder share beside bench/common.sh: a folder with the event.

# prepare_folder: $work/prepared-$seats, made once by a server's own import. A run works on a copy and finds all seats free.
prepare_folder() {
  local plan=$work/plan-$seats.json prepared=$work/prepared-$seats
  write_plan "$plan"
  if [[ ! -e $prepared.done || $holdfast -nt $prepared.done || $plan -nt $prepared.done ]]; then
    rm -rf -- "$prepared" "$prepared.done"
    mkdir "$prepared"
    local began=$EPOCHREALTIME
    "$holdfast" import --data "$prepared" --name Benchmark --keep-ids "$plan" >"$work/import.log" 2>&1 ||
      { cat "$work/import.log" >&2 && fail "the event could not be imported"; }
    awk -v a="$began" -v b="$EPOCHREALTIME" -v n="$seats" 'BEGIN { printf "imported %d seats in %.1f s\n", n, b - a }'
    finish_tables "$prepared"
    : >"$prepared.done"
  fi
}

# finish_tables FOLDER: an import ends before its tables do, and no run should have to wait for them.
finish_tables() {
  local port
  port=$(free_port)
  start_folder "$1" "$port"
  until tables_have_all "$port"; do
    kill -0 "$server" || fail "holdfast ended, see $work/holdfast.log"
    sleep 0.5
  done
  stop_server
}

# start_folder FOLDER PORT: the server of a data folder.
start_folder() {
  local log=$work/holdfast.log
  "$holdfast" serve --data "$1" --port "$2" >"$log" 2>&1 </dev/null &
  server=$!
  wait_until holdfast "$log" curl -fs --max-time 5 "http://127.0.0.1:$2/readyz"
}

# tables_have_all PORT
tables_have_all() { [[ $(curl -fsS --max-time 5 "http://127.0.0.1:$1/metrics" | awk '$1 == "holdfast_state_rows_behind" { print $2 }') == 0 ]]; }
