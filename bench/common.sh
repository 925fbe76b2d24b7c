# shellcheck shell=bash
# shellcheck disable=SC2154  # `work`, `seats`, `seconds` and `rounds` are the benchmark's own
# What the benchmarks that start servers share: bench/http/run.sh, bench/peers/run.sh and those of bench/postgres. They work in the folder
# `work`, and the server at hand is the process `server`.

fail() {
  printf 'bench: %s\n' "$@" >&2
  exit 1
}

server=""    # the processes that a benchmark must not leave behind
sampler=""

stop_server() {
  end_process "$server"
  server=""
}

stop_sampler() {
  end_process "$sampler"
  sampler=""
}

# end_process PID: ends a child and waits for it; nothing to do for an empty PID.
end_process() {
  [[ -n $1 ]] || return 0
  kill "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# fresh_folder: an empty folder for one run, on the same disk for all.
fresh_folder() {
  rm -rf -- "$work/run"
  mkdir -p "$work/run"
}

# settle: what was written before a run must not be written during it.
settle() { sync -f "$work"; }

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port: prints a port of the loopback that nobody answers on, below those that the system gives to clients.
free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)) && port_answers "$port"; do :; done
  printf '%s' "$port"
}

# wait_until TEXT LOG COMMAND…: until the command succeeds; the server that ends before is shown with its log.
wait_until() {
  local what=$1 log=$2 tries
  shift 2
  for ((tries = 0; tries < 1200; tries++)); do
    ! "$@" >/dev/null 2>&1 || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.05
  done
  tail -n 20 "$log" >&2
  fail "$what did not start, see above"
}

# write_plan FILE: a seating plan of `seats` seats, made once.
write_plan() {
  local script=$root/bench/http/make_plan.awk
  mkdir -p "$work"
  if [[ ! -e $1 || $script -nt $1 ]]; then
    awk -v seats="$seats" -f "$script" >"$1.new"
    mv "$1.new" "$1"
  fi
}

# load PORT CONNECTIONS [SCRIPT [ARGUMENT…]]: "rate p50 p99 refused broken answers" of wrk with a script, reserve.lua over all seats by default.
# One thread of wrk loads as much as two cores can serve beside it; a second one only takes their time.
load() {
  local port=$1 connections=$2 script=${3:-$root/bench/http/reserve.lua} answer
  shift $(($# < 3 ? $# : 3))
  [[ $# -gt 0 ]] || set -- "$seats"
  answer=$(wrk -t1 -c"$connections" -d"${seconds}s" --timeout 10s -s "$script" "http://127.0.0.1:$port" -- "$@" | grep '^RESULT ') ||
    fail "wrk failed"
  printf '%s\n' "${answer#RESULT }"
}

# metric FILE NAME: the sum of a metric over its labels.
metric() { awk -v name="$2" '$1 == name || index($1, name "{") == 1 { sum += $NF } END { printf "%.9f", sum }' "$1"; }

# mean_of HISTOGRAM SCALE DECIMALS: the mean of what a histogram saw between two looks at the metrics.
mean_of() {
  awk -v s0="$(metric "$work/before" "$1_sum")" -v s1="$(metric "$work/after" "$1_sum")" \
    -v n0="$(metric "$work/before" "$1_count")" -v n1="$(metric "$work/after" "$1_count")" -v scale="$2" -v decimals="$3" \
    'BEGIN { if (n1 > n0) printf "%.*f", decimals, (s1 - s0) / (n1 - n0) * scale; else printf "-" }'
}

# check_answers: between two looks at the metrics, each request was decided (201 or 409), and no hold went on without its lock in Redis.
check_answers() {
  local failed skipped lock='holdfast_lock_acquisitions_total{result="unknown"}'
  failed=$(awk '/^holdfast_http_request_duration_seconds_count\{/ && /outcome="(failed|invalid)"/ { sum += FILENAME ~ /before$/ ? -$NF : $NF }
    END { printf "%d", sum }' "$work/before" "$work/after")
  [[ $failed -eq 0 ]] || fail "$failed requests were neither accepted nor refused with 409: this rate is not of reservations"
  skipped=$(awk -v before="$(metric "$work/before" "$lock")" -v after="$(metric "$work/after" "$lock")" 'BEGIN { printf "%d", after - before }')
  [[ $skipped -eq 0 ]] || fail "$skipped holds went on without their lock in Redis: that is less work than is to be measured"
}

# bare_disk: microseconds that one 4 KiB write takes to be on disk, with nobody else writing.
bare_disk() {
  local file=$work/run/bare began writes=2000
  fresh_folder
  dd if=/dev/zero of="$file" bs=4k count="$writes" status=none
  settle
  began=$EPOCHREALTIME
  dd if=/dev/zero of="$file" bs=4k count="$writes" oflag=dsync conv=notrunc status=none
  awk -v a="$began" -v b="$EPOCHREALTIME" -v n="$writes" 'BEGIN { printf "%.0f", (b - a) / n * 1e6 }'
}

machine() {
  printf 'machine   %s, %s cores, Linux %s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)"
  printf 'disk      %s\n' "$(df --output=source,fstype "$work" | tail -n 1 | awk '{ print $1 " (" $2 ")" }')"
  printf 'versions  %s\n' "$(versions)"
}

declare -A runs   # by name: the results of all rounds, a line each

# measure NAME COMMAND…: one run, remembered and printed.
measure() {
  local name=$1 columns
  shift
  "$@"
  read -ra columns <"$work/result"
  runs[$name]+="${columns[*]}"$'\n'
  print_run "$name" "${columns[@]}"
}

print_run() { printf '%-14s %10s %9s %9s %9s %8s %8s %10s\n' "$@"; }
print_header() { printf '\n' && print_run "$1" "per s" "p50 us" "p99 us" "not 2xx" "broken" "batch" "commit us"; }

# column NAME N: the median of a column over the rounds.
column() {
  awk -v n="$2" 'NF { print $n }' <<<"${runs[$1]}" | sort -g | awk '
    { value[NR] = $1 }
    END {
      middle = int((NR + 1) / 2)
      if (NR % 2 || value[1] == "-") print value[middle]
      else printf "%.6g\n", (value[middle] + value[middle + 1]) / 2
    }'
}

# total NAME N: the sum of a column over the rounds.
total() { awk -v n="$2" '{ sum += $n } END { print sum + 0 }' <<<"${runs[$1]}"; }

# ratio A B [N]: of the medians of a column, the rates by default.
ratio() { awk -v a="$(column "$1" "${3:-1}")" -v b="$(column "$2" "${3:-1}")" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "-" }'; }

