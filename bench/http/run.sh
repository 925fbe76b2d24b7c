#!/usr/bin/env bash
# Durable reservations a second over HTTP, and what the same machine does with comparable work, one after the other and in turns:
#
#   holdfast   POST /reservations, every request another seat of an event of a million, answered when it is on disk
#   redis      SET key token NX PX in redis-server with appendfsync always: one key, durable, no rules and no seats
#   nginx      a constant answer of the same size to the same requests: HTTP alone, nothing is kept
#
# Started by ./dev bench http, which installs and builds what it takes. All are loaded from this machine, so they share its cores with
# their clients. Everything it writes is under build/bench/http; the servers that it starts end with it.
set -euo pipefail
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin:/sbin"

here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
root=$(cd -- "$here/../.." && pwd -P)
holdfast=$root/build/release/holdfast
work=$root/build/bench/http
readonly here root holdfast work

# shellcheck source=bench/common.sh
source "$root/bench/common.sh"
# shellcheck source=bench/folder.sh
source "$root/bench/folder.sh"

rounds=3
seconds=4
seats=1000000
redis_requests=400000
peers=1
ours=1

usage() {
  cat <<'TEXT'
usage: ./dev bench http [--rounds N] [--seconds N] [--seats N] [--peers-only | --holdfast-only]

  --rounds N        how often each is measured, in turns; medians are printed (default 3)
  --seconds N       length of one run (default 4; Redis: 400,000 requests, however long they take)
  --seats N         seats of the event, a multiple of 1,000 (default 1000000); they must outlast a run
  --peers-only      Redis and nginx only
  --holdfast-only   Holdfast only
TEXT
}

while [[ $# -gt 0 ]]; do
  case $1 in
    --rounds | --seconds | --seats)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "$1 wants a number"
      declare "${1#--}=$2"
      shift 2
      ;;
    --peers-only) ours=0 && shift ;;
    --holdfast-only) peers=0 && shift ;;
    -h | --help) usage && exit ;;
    *) usage >&2 && fail "unknown argument '$1'" ;;
  esac
done
[[ $((ours + peers)) -gt 0 ]] || fail "--peers-only and --holdfast-only leave nothing to do"
[[ $((seats % 1000)) -eq 0 ]] || fail "--seats wants a multiple of 1,000"

# --- servers: started one at a time, stopped by their process ids, also when this script is stopped ---

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  stop_sampler
  stop_server
  rm -rf -- "$work/run"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# --- one run each; they leave "rate p50 p99 refused broken batch commit" (microseconds, - for what there is not) in $work/result ---

# sample_lag PORT FILE: how many seconds the tables are behind, once a second until it is stopped.
sample_lag() {
  while sleep 1; do
    curl -fsS --max-time 5 "http://127.0.0.1:$1/metrics" | awk '$1 == "holdfast_state_oldest_pending_seconds" { print $2 }' || true
  done >"$2"
}

# note_lag CONNECTIONS: the longest lag of the run at hand, and for how long its rounds waited for the tables.
note_lag() {
  lags+=("$(awk -v connections="$1" -v before="$(metric "$work/before" holdfast_state_held_back_seconds_total)" \
    -v after="$(metric "$work/after" holdfast_state_held_back_seconds_total)" '
    { if ($1 > most) most = $1 }
    END { printf "c=%d: tables at most %.1f s behind in %d samples, rounds waited for them for %.1f s", connections, most, NR, after - before }' \
    "$work/lags")")
}

# run_holdfast CONNECTIONS
run_holdfast() {
  local port rate p50 p99 refused broken answers
  fresh_folder
  cp -r --reflink=auto "$work/prepared-$seats" "$work/run/data"
  port=$(free_port)
  start_folder "$work/run/data" "$port"
  settle
  curl -fsS "http://127.0.0.1:$port/metrics" >"$work/before"
  sample_lag "$port" "$work/lags" &
  sampler=$!
  load "$port" "$1" >"$work/load"
  stop_sampler
  curl -fsS "http://127.0.0.1:$port/metrics" >"$work/after"
  note_lag "$1"
  stop_server
  read -r rate p50 p99 refused broken answers <"$work/load"
  # Every answer that wrk counted must have gone through a batch.
  awk -v answers="$answers" -v before="$(metric "$work/before" holdfast_batch_commands_sum)" \
    -v after="$(metric "$work/after" holdfast_batch_commands_sum)" 'BEGIN { exit !(after == 0 || after - before >= answers) }' ||
    fail "wrk counted $answers answers, more than the server committed (see $work/before and after)"
  printf '%s\n' "$rate $p50 $p99 $refused $broken $(mean_of holdfast_batch_commands 1 1) $(mean_of holdfast_commit_seconds 1000000 0)" \
    >"$work/result"
}

run_redis() {
  local port answer log=$work/redis.log filler=00000000000000000000
  fresh_folder
  port=$(free_port)
  # A rewrite of the log in the middle of a run would only slow Redis down, so there is none.
  redis-server --port "$port" --bind 127.0.0.1 --dir "$work/run" --daemonize no --save '' --appendonly yes --appendfsync always \
    --auto-aof-rewrite-percentage 0 >"$log" 2>&1 </dev/null &
  server=$!
  wait_until redis-server "$log" redis-cli -p "$port" ping
  settle
  # Keys as long as the seat locks of the contract (42 bytes) and a token of 16; redis-benchmark's one thread, no pipelining.
  answer=$(redis-benchmark -h 127.0.0.1 -p "$port" -c 64 -n "$redis_requests" -r 100000000 --csv \
    SET "lock:seat:${filler}__rand_int__" customer-0000001 NX PX 900000 | tail -n 1) || fail "redis-benchmark failed"
  stop_server
  # "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
  awk -v answer="$answer" \
    'BEGIN { split(answer, f, "\",\""); printf "%.0f %.0f %.0f 0 0 - -\n", f[2], f[5] * 1000, f[7] * 1000 }' >"$work/result"
}

run_nginx() {
  local port rate p50 p99 refused broken log=$work/nginx.log id=8bf7fffc-9ff5-401c-9d2d-86f525f42e40
  fresh_folder
  port=$(free_port)
  # One worker, and one thread of wrk: on two cores the fastest steady pair of the four (178,000/s; two workers 132,000, two threads of
  # wrk 125,000, two of both between 112,000 and 184,000).
  cat >"$work/run/nginx.conf" <<CONF
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  default_type application/json;
  server {
    listen 127.0.0.1:$port;
    location = /reservations {
      add_header Location /reservations/$id;
      add_header X-Request-Id $id;
      return 201 '{"reservationId":"$id","seatId":"550e8400-e29b-41d4-a716-446655440002","customerId":"customer-0000001","expiresAt":"2026-02-24T16:15:00.000Z","status":"active"}';
    }
  }
}
CONF
  nginx -p "$work/run/" -c nginx.conf -e stderr >"$log" 2>&1 </dev/null &
  server=$!
  wait_until nginx "$log" port_answers "$port"
  settle
  load "$port" 64 >"$work/load"
  stop_server
  read -r rate p50 p99 refused broken _ <"$work/load"
  printf '%s\n' "$rate $p50 $p99 $refused $broken - -" >"$work/result"
}

# --- the report ---

versions() {
  local list=()
  [[ $ours -eq 0 ]] || list+=("$("$holdfast" --version 2>/dev/null | head -n 1 || true)")
  [[ $peers -eq 0 ]] || list+=("$(redis-server --version | awk '{ print "redis " substr($3, 3) }')" "$(nginx -v 2>&1 | sed 's/.*: //')")
  local IFS=,
  printf '%s' "${list[*]}"
}

mkdir -p "$work"
if [[ $ours -eq 1 ]]; then
  [[ -x $holdfast ]] || fail "$holdfast is not built; start this with ./dev bench http"
  prepare_folder
fi
machine
printf 'a 4 KiB write on the bare disk, O_DSYNC: %s µs\n' "$(bare_disk)"
print_header run
names=()
lags=()
[[ $ours -eq 0 ]] || names+=("holdfast c=64")
[[ $peers -eq 0 ]] || names+=("redis c=64" "nginx c=64")
[[ $ours -eq 0 ]] || names+=("holdfast c=256")
for ((round = 0; round < rounds; round++)); do
  for name in "${names[@]}"; do
    case $name in
      "holdfast c="*) measure "$name" run_holdfast "${name##*=}" ;;
      redis*) measure "$name" run_redis ;;
      nginx*) measure "$name" run_nginx ;;
    esac
  done
done

print_header "median of $rounds"
bad=0
for name in "${names[@]}"; do
  print_run "$name" "$(column "$name" 1)" "$(column "$name" 2)" "$(column "$name" 3)" "$(total "$name" 4)" "$(total "$name" 5)" \
    "$(column "$name" 6)" "$(column "$name" 7)"
  bad=$((bad + $(total "$name" 4) + $(total "$name" 5)))
done
if [[ $((ours * peers)) -eq 1 ]]; then
  printf '\nholdfast / redis: %s    holdfast / nginx: %s    (at 64 connections)\n' \
    "$(ratio "holdfast c=64" "redis c=64")" "$(ratio "holdfast c=64" "nginx c=64")"
fi
[[ $ours -eq 0 ]] || printf '\n%s' "${lags[@]}"
printf '\n\nwrk loads holdfast and nginx with one thread, redis-benchmark loads redis with one; nginx has one worker.\n'
[[ $bad -eq 0 ]] || fail "$bad answers were not 201 or never came: these rates are not of reservations"
