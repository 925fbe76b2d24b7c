#!/usr/bin/env bash
# Counts the instructions that each thread of the server executes for one POST /reservations, by valgrind's callgrind. They hardly depend on what
# else the machine does.
#
#   bench/http/cost.sh [PROGRAM [CONNECTIONS]]     # build/release/holdfast, 64
#
# Takes valgrind and python3. Everything it writes is under build/bench/http. The counts by function stay there, for callgrind_annotate.
set -euo pipefail

root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd -P)
holdfast=${1:-$root/build/release/holdfast}
connections=${2:-64}
work=$root/build/bench/http
seats=100000
requests=10000
readonly root connections work seats requests

# shellcheck source=bench/common.sh
source "$root/bench/common.sh"
# shellcheck source=bench/folder.sh
source "$root/bench/folder.sh"
trap stop_server EXIT
trap 'exit 130' INT TERM HUP

prepare_folder
fresh_folder
cp -r -- "$work/prepared-$seats" "$work/run/data"
objcopy --strip-debug "$holdfast" "$work/run/holdfast"   # valgrind 3.19 cannot read clang's debug information
port=$(free_port)
log=$work/cost.log
rm -f -- "$work"/cost.out*
valgrind --tool=callgrind --separate-threads=yes --callgrind-out-file="$work/cost.out" \
  "$work/run/holdfast" serve --data "$work/run/data" --port "$port" >"$log" 2>&1 </dev/null &
server=$!
wait_until holdfast "$log" curl -fs --max-time 5 "http://127.0.0.1:$port/readyz"
python3 "$root/bench/http/rounds.py" "$port" "$connections" 1000 0
callgrind_control --zero "$server" >/dev/null
python3 "$root/bench/http/rounds.py" "$port" "$connections" "$requests" 10000
callgrind_control --dump "$server" >/dev/null
stop_server
for file in "$work"/cost.out.1-*; do
  awk -v requests="$requests" -v name="${file##*/}" '
    $1 == "summary:" || $1 == "totals:" { total = $2 }
    /holdfast::http::Connection::serve/ { what = "http" }
    /holdfast::Engine::Worker::run/ { what = "engine" }
    END { if (total > 100 * requests) printf "%-14s %8.0f instructions a request  %s\n", name, total / requests, what }' "$file"
done
