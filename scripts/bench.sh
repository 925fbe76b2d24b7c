# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# ./dev bench: how fast, and beside whom.

cmd_bench() {
  local which=${1:-http}
  [[ $# -eq 0 ]] || shift
  case $which in
    http)
      cmd_setup bench
      [[ " $* " == *" --peers-only "* ]] || build release holdfast
      exec "$root/bench/http/run.sh" "$@"
      ;;
    maps)
      cmd_setup bench
      [[ " $* " == *" --program "* ]] || build release holdfast
      exec "$root/bench/maps/run.sh" "$@"
      ;;
    core)
      cmd_setup bench
      build release bench/all bench
      local program found=""
      for program in "$root"/build/release/bench/*; do
        [[ -f $program && -x $program ]] || continue
        found=1
        say "dev: ${program##*/}"
        "$program" "$@"
      done
      [[ -n $found ]] || fail "bench/ has built no program"
      ;;
    live)
      cmd_setup bench
      build release holdfast
      build release bench_live bench
      exec "$root/bench/live/run.sh" "$@"
      ;;
    postgres)
      cmd_setup bench
      [[ " $* " == *" --plain-only "* ]] || build release holdfast
      local services=(postgresql redis)
      [[ " $* " != *" --feed "* ]] || services+=(kafka)
      with_services "${services[@]}" -- "$root/bench/postgres/run.sh" "$@"
      ;;
    peers)
      cmd_setup bench
      cmd_setup peers
      build release holdfast
      prepare_peers
      with_services postgresql redis kafka -- "$root/bench/peers/run.sh" "$@"
      ;;
    large)
      cmd_setup bench
      [[ " $* " == *" --program "* ]] || build release holdfast
      with_services postgresql -- "$root/bench/postgres/large_event.sh" "$@"
      ;;
    web)
      cmd_setup browser
      npm_install everything || fail "npm ci failed (see above): the benchmark moves the map in a real browser"
      build release holdfast
      node "$root/bench/web/run.mjs" "$@"
      ;;
    *) fail "bench takes http, core, large, live, maps, peers, postgres or web, not '$which'" ;;
  esac
}
