-- wrk's side: POST /reservations, every request another seat of the plan that make_plan.awk writes.
--
--   wrk -t1 -c64 -d4s -s reserve.lua http://127.0.0.1:50002 -- SEATS [FIRST]
--
-- Each of wrk's threads has its own range of the seats from FIRST on. A thread that comes to the end of its range starts again, and
-- its requests are then refused with 409: the count of refusals, which must be 0, shows it.

local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
  -- wrk makes all its threads before it starts one, so the last value written is the number of them; each reads it in init.
  if not all_threads then all_threads = {} end
  table.insert(all_threads, thread)
  for _, other in ipairs(all_threads) do other:set("count", threads) end
end

local head = "POST /reservations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\n" ..
  "Content-Length: %d\r\n\r\n"
local body = '{"seatId": "%08x-0000-4000-8000-%012x", "customerId": "customer-%07d"}'   -- a customer's id has 16 bytes
local request_format, first, last, seat

function init(args)
  local seats = tonumber(args[1])
  local from = tonumber(args[2] or "0")
  local share = math.floor((seats - from) / count)
  request_format = string.format(head, #string.format(body, 0, 0, 0)) .. body
  first = from + number * share + 1
  last = first + share - 1
  seat = first - 1
end

function request()
  seat = seat + 1
  if seat > last then seat = first end
  return string.format(request_format, seat, seat, seat)
end

-- One line for run.sh: requests a second, p50 and p99 in microseconds, answers that were not 2xx, broken connections, answers.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %.0f %.0f %.0f %d %d %d\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50), latency:percentile(99), errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.requests))
end
