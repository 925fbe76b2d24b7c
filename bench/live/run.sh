#!/usr/bin/env bash
# What listeners of a live seat map cost a seller, and how late they learn of a sale: see live.cc. Started by ./dev bench live.
#
#   run.sh [LISTENERS [SECONDS [ROUNDS]]]      default 10000 5 2
set -euo pipefail

root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd -P)
listeners=${1:-10000} seconds=${2:-5} rounds=${3:-2}
work=$root/build/bench/live
server=""

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  [[ -z $server ]] || wait "$server" 2>/dev/null || true
  rm -rf -- "$work/data"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

ulimit -n "$(ulimit -Hn)"
rm -rf -- "$work/data" "$work/port"
mkdir -p "$work"
"$root/build/release/holdfast" serve --data "$work/data" --port 0 --port-file "$work/port" --http-connections-max $((listeners + 1000)) \
  --live-listeners-max "$listeners" >"$work/log" 2>&1 </dev/null &
server=$!
for ((tries = 0; tries < 200; tries++)); do
  [[ ! -e $work/port ]] || break
  kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2 && exit 1; }
  sleep 0.05
done
"$root/build/release/bench/live/bench_live" "$(cat "$work/port")" "$server" "$listeners" "$seconds" "$rounds"
