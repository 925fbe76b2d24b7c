#!/usr/bin/env bash
# The plan and the states of an event, read over HTTP, and what nginx does with the same bytes in files, one after the other and in turns:
#
#   plan       GET /v1/events/{eventId}/plan as it is
#   plan gzip  the same for clients that accept gzip; nginx has it compressed already (gzip_static)
#   states     GET /v1/events/{eventId}/states
#   unchanged  the same with If-None-Match: 304
#
# Started by ./dev bench maps, which installs and builds what it takes. Clients and servers share the machine's cores. Everything it writes is
# under build/bench/maps; the servers that it starts end with it.
set -euo pipefail
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin:/sbin"

here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
root=$(cd -- "$here/../.." && pwd -P)
holdfast=$root/build/release/holdfast
work=$root/build/bench/maps
readonly here root work

# shellcheck source=bench/common.sh
source "$root/bench/common.sh"
# shellcheck source=bench/folder.sh
source "$root/bench/folder.sh"

rounds=3
seconds=4
seats=60000
connections=16
only=""

usage() {
  cat <<'TEXT'
usage: ./dev bench maps [--rounds N] [--seconds N] [--seats N] [--connections N] [--only WHAT] [--program FILE]

  --rounds N        how often each is measured, in turns; medians are printed (default 3)
  --seconds N       length of one run (default 4)
  --seats N         seats of the event, a multiple of 1,000 (default 60000)
  --connections N   connections that ask, each for its next answer when it has the last (default 16)
  --only WHAT       only plan, "plan gzip", states or unchanged
  --program FILE    another build of holdfast
TEXT
}

while [[ $# -gt 0 ]]; do
  case $1 in
    --rounds | --seconds | --seats | --connections)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "$1 wants a number"
      declare "${1#--}=$2"
      shift 2
      ;;
    --only | --program)
      [[ -n ${2:-} ]] || fail "$1 wants a value"
      case $1 in
        --only) only=$2 ;;
        *) holdfast=$2 ;;
      esac
      shift 2
      ;;
    -h | --help) usage && exit ;;
    *) usage >&2 && fail "unknown argument '$1'" ;;
  esac
done
[[ $((seats % 1000)) -eq 0 ]] || fail "--seats wants a multiple of 1,000"

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  stop_server
  rm -rf -- "$work/run"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# --- what is asked for: a path, and the header that asks for it ---

path_of() {
  case $1 in
    plan*) printf '/v1/events/%s/plan' "$event" ;;
    *) printf '/v1/events/%s/states' "$event" ;;
  esac
}

header_of() {
  case $1 in
    "plan gzip") printf 'Accept-Encoding: gzip' ;;
    unchanged) printf 'If-None-Match: %s' "$states_tag" ;;
    *) printf 'X-No: header' ;;
  esac
}

# --- the servers ---

start_holdfast() {
  port=$(free_port)
  start_folder "$work/run/data" "$port"
}

# Sets `event` and `states_tag`, and keeps each body as a file for nginx.
take_bodies() {
  event=$(curl -fsS "http://127.0.0.1:$port/v1/events" | sed -n 's/^{"items":\[{"id":"\([^"]*\)".*/\1/p')
  [[ -n $event ]] || fail "the event has no id"
  mkdir -p "$work/files"
  curl -fsS "http://127.0.0.1:$port$(path_of plan)" -o "$work/files/plan"
  curl -fsS "http://127.0.0.1:$port$(path_of plan)" -H "Accept-Encoding: gzip" -o "$work/files/plan.gz"
  curl -fsS "http://127.0.0.1:$port$(path_of states)" -o "$work/files/states" -D "$work/states.head"
  states_tag=$(sed -n 's/^ETag: \(.*\)\r$/\1/p' "$work/states.head")
  [[ -n $states_tag ]] || fail "the states have no ETag"
}

# One worker: with one thread of wrk on two cores that is the fastest pair.
start_nginx() {
  local log=$work/nginx.log id=8bf7fffc9ff5401c9d2d86f525f42e40
  port=$(free_port)
  cat >"$work/run/nginx.conf" <<CONF
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  etag off;
  keepalive_requests 1000000000;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  default_type application/json;
  add_header X-Request-Id $id;
  server {
    listen 127.0.0.1:$port;
    location = $(path_of plan) {
      alias $work/files/plan;
      gzip_static on;
      gzip_vary on;
      add_header X-Request-Id $id;
      add_header Cache-Control "public, max-age=31536000, immutable";
      add_header ETag '"plan-1"';
    }
    location = $(path_of states) {
      if (\$http_if_none_match = '$states_tag') { return 304; }
      alias $work/files/states;
      add_header X-Request-Id $id;
      add_header Cache-Control "no-cache";
      add_header ETag '$states_tag';
    }
  }
}
CONF
  nginx -p "$work/run/" -c nginx.conf -e stderr >"$log" 2>&1 </dev/null &
  server=$!
  wait_until nginx "$log" port_answers "$port"
}

# check_bodies: what the server at hand answers is what Holdfast answered first.
check_bodies() {
  local each
  for each in plan states; do
    curl -fsS "http://127.0.0.1:$port$(path_of "$each")" | cmp - "$work/files/$each" || fail "another $each"
  done
  curl -fsS "http://127.0.0.1:$port$(path_of plan)" -H "Accept-Encoding: gzip" | cmp - "$work/files/plan.gz" || fail "another compressed plan"
}

# ticks: processor time of the server at hand so far, user and system, in hundredths of a second.
ticks() {
  local pid sum=0 fields
  for pid in "$server" $(pgrep -P "$server" || true); do
    read -r fields <"/proc/$pid/stat"
    read -ra fields <<<"${fields##*) }"
    sum=$((sum + fields[11] + fields[12]))
  done
  printf '%s' "$sum"
}

# --- one run each; it leaves "rate MB/s p50 p99 not-2xx broken cpu" in $work/result ---

# run_reads holdfast|nginx WHAT
run_reads() {
  local rate p50 p99 refused broken answers before
  fresh_folder
  if [[ $1 == holdfast ]]; then
    cp -r --reflink=auto "$work/prepared-$seats" "$work/run/data"
    start_holdfast
  else
    start_nginx
  fi
  check_bodies
  settle
  before=$(ticks)
  wrk -t1 -c"$connections" -d"${seconds}s" --timeout 10s -H "$(header_of "$2")" -s "$here/get.lua" "http://127.0.0.1:$port$(path_of "$2")" |
    grep '^RESULT ' >"$work/load" || fail "wrk failed"
  read -r _ rate p50 p99 refused broken answers <"$work/load"
  awk -v rate="$rate" -v p50="$p50" -v p99="$p99" -v refused="$refused" -v broken="$broken" -v answers="$answers" -v bytes="$(bytes_of "$2")" \
    -v ticks="$(($(ticks) - before))" \
    'BEGIN { printf "%s %.0f %s %s %s %s %.1f\n", rate, rate * bytes / 1e6, p50, p99, refused, broken, ticks * 1e4 / answers }' >"$work/result"
  stop_server
}

bytes_of() {
  case $1 in
    plan | states) stat -c %s "$work/files/$1" ;;
    "plan gzip") stat -c %s "$work/files/plan.gz" ;;
    *) printf 0 ;;
  esac
}

# --- the report ---

versions() { printf '%s,%s' "$("$holdfast" --version 2>/dev/null | head -n 1 || true)" "$(nginx -v 2>&1 | sed 's/.*: //')"; }
print_run() { printf '%-20s %9s %7s %8s %8s %8s %7s %10s\n' "$@"; }
print_header() { printf '\n' && print_run "$1" "per s" "MB/s" "p50 us" "p99 us" "not 2xx" "broken" "cpu us"; }

mkdir -p "$work"
[[ -x $holdfast ]] || fail "$holdfast is not built; start this with ./dev bench maps"
prepare_folder
fresh_folder
cp -r --reflink=auto "$work/prepared-$seats" "$work/run/data"
start_holdfast
take_bodies
stop_server
machine
printf 'load      %s\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
printf 'bytes     plan %s, compressed %s, states %s\n' "$(bytes_of plan)" "$(bytes_of "plan gzip")" "$(bytes_of states)"
print_header run
whats=(plan "plan gzip" states unchanged)
[[ -z $only ]] || whats=("$only")
for ((round = 0; round < rounds; round++)); do
  for what in "${whats[@]}"; do
    for server_name in holdfast nginx; do
      measure "$server_name $what" run_reads "$server_name" "$what"
    done
  done
done

print_header "median of $rounds"
bad=0
for what in "${whats[@]}"; do
  for server_name in holdfast nginx; do
    name="$server_name $what"
    print_run "$name" "$(column "$name" 1)" "$(column "$name" 2)" "$(column "$name" 3)" "$(column "$name" 4)" "$(total "$name" 5)" \
      "$(total "$name" 6)" "$(column "$name" 7)"
    [[ $what == unchanged ]] || bad=$((bad + $(total "$name" 5)))
    bad=$((bad + $(total "$name" 6)))
  done
done
printf '\nholdfast / nginx:'
for what in "${whats[@]}"; do printf '   %s %s' "$what" "$(ratio "holdfast $what" "nginx $what")"; done
printf '\n\nwrk loads both with one thread and %s connections; nginx has one worker. "cpu us": processor time of the server, an answer.\n' "$connections"
[[ $bad -eq 0 ]] || fail "$bad answers were not 200 or never came"
