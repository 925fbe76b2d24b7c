-- wrk's side of bench/maps/run.sh: GET of the URL, again and again.

-- One line for run.sh: requests a second, p50 and p99 in microseconds, answers that were not 2xx, broken connections, answers.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %.0f %.0f %.0f %d %d %d\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50), latency:percentile(99), errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.requests))
end
