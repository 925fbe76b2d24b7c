# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# ./dev run: a server with something to sell, in the foreground.

readonly theatre_event=7ea7e000-0000-4000-8000-000000000001
readonly race_track_event=4ace0000-0000-4000-8000-000000000002
readonly contract_seat=550e8400-e29b-41d4-a716-446655440002   # the seat of the contract's example, in the theatre's stalls

cmd_run() {
  local data=${HOLDFAST_DATA:-$root/data} port=50002 has_port="" has_data="" previous="" argument
  for argument in "$@"; do
    case $argument in
      --port=*) port=${argument#*=} has_port=1 ;;
      --data=*) data=${argument#*=} has_data=1 ;;
    esac
    case $previous in
      --port) port=$argument has_port=1 ;;
      --data) data=$argument has_data=1 ;;
    esac
    previous=$argument
  done

  cmd_setup
  build release holdfast
  local holdfast=$root/build/release/holdfast
  import_demo_events "$holdfast" "$data"

  # When the port is taken, the other server would answer our questions: leave the word to holdfast, which says so and ends.
  if [[ $port != 0 ]] && ! port_answers "$port"; then
    (say_what_next_when_ready "$$" "$port" "$data" </dev/null &)
  fi

  local serve=("$holdfast" serve)
  [[ -n $has_data ]] || serve+=(--data "$data")
  [[ -n $has_port ]] || serve+=(--port "$port")
  exec "${serve[@]}" --demo on "$@"
}

# import_demo_events PROGRAM DATA: both venues, once. They are there before the server is, so that its first request can buy.
# A file in the data folder remembers it, because asking the ledger would mean to open it twice before every start.
import_demo_events() {
  local holdfast=$1 data=$2
  local done_mark=$data/.demo-events
  [[ ! -e $done_mark ]] || return 0
  mkdir -p "$data"
  import_once "$holdfast" --data "$data" --id "$theatre_event" --name "An Evening at the Theatre" --keep-ids \
    "$root/venues/theatre.seating-plan.json"
  # The race track's guids are labels ("MT1-A-7"), not ids: Holdfast derives a UUID for each.
  import_once "$holdfast" --data "$data" --id "$race_track_event" --name "Race Day" "$root/venues/race-track.seating-plan.json"
  : >"$done_mark"
}

import_once() {
  local holdfast=$1 status=0
  shift
  "$holdfast" import "$@" >&2 || status=$?
  # 3: the event is there already, from a first start that was interrupted.
  [[ $status -eq 0 || $status -eq 3 ]] || fail "a demo event could not be imported (status $status): $holdfast import $*"
}

# say_what_next_when_ready PID PORT DATA: waits for the server, which has our process id, and then tells what it can do.
say_what_next_when_ready() {
  local pid=$1 port=$2 data=$3 url=http://localhost:$2 tries
  for ((tries = 0; tries < 600; tries++)); do
    kill -0 "$pid" 2>/dev/null || return 0
    if curl -fs -o /dev/null --max-time 2 "http://127.0.0.1:$port/readyz"; then
      what_next "$url" "$data"
      return 0
    fi
    sleep 0.1
  done
  say "dev: not ready after a minute; $url/readyz says why"
}

what_next() {
  local url=$1 data
  printf -v data '%q' "$2"
  cat <<TEXT

Holdfast is ready: open $url and buy two seats, or $url/console to run the sale. The data are in $data.
Or paste these into another terminal:

# reserve a seat in the theatre's stalls for 15 minutes (again: 409, it is taken)
curl -i -X POST $url/reservations -H 'Content-Type: application/json' \\
  -d '{"seatId": "$contract_seat", "customerId": "customer-123"}'

# hold the best two seats side by side in the circle (again: the next best)
curl -s $url/v1/reservations -H 'Content-Type: application/json' \\
  -d '{"customerId": "customer-123", "bestAvailable": {"eventId": "$theatre_event", "quantity": 2, "section": "Circle"}}'

# look at the seat: its state, its version, its reservation
curl -s $url/v1/seats/$contract_seat

# lock two neighbours on the race track for ten minutes, all or none
seats=\$(curl -s $url/v1/events/$race_track_event/plan | grep -o '"id":\["[^"]*","[^"]*"' | cut -d[ -f2)
curl -s $url/tickets_lock -H 'Content-Type: application/json' \\
  -d "{\\"data\\": {\\"ticketd_reserved\\": [\$seats], \\"reserved_time\\": 600}}"

# watch the theatre's seats change as others take them (Ctrl-C ends it)
curl -sN $url/v1/events/$theatre_event/live

# what is on sale, the tables behind it, the numbers
curl -s $url/v1/events
sqlite3 -readonly $data/state.db .tables
curl -s $url/metrics | grep ^holdfast_

Buying on the page costs nothing (--demo). Every call, to read and to try: $url/docs
Ctrl-C stops the server; nothing that it answered is lost.

TEXT
}
