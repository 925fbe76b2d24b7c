-- wrk's side: POST /reservations, 90 % of the requests for the first 1 % of the seats, the others each for another seat, of the plan that
-- bench/http/make_plan.awk writes. Refusals are answers here: most of the hot seats have gone after a while.
--
--   wrk -t1 -c64 -d4s -s hot.lua http://127.0.0.1:50002 -- SEATS [FIRST [SEED]]

local head = "POST /reservations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\n" ..
  "Content-Length: %d\r\n\r\n"
local body = '{"seatId": "%08x-0000-4000-8000-%012x", "customerId": "customer-%07d"}'
local request_format, seats, hot, seat

function init(args)
  seats = tonumber(args[1])
  hot = math.floor(seats / 100)
  seat = math.max(tonumber(args[2] or "0"), hot)
  math.randomseed(tonumber(args[3] or "1"))
  request_format = string.format(head, #string.format(body, 0, 0, 0)) .. body
end

function request()
  local n
  if math.random(10) <= 9 then
    n = math.random(hot)
  else
    seat = seat + 1
    if seat > seats then seat = hot + 1 end
    n = seat
  end
  return string.format(request_format, n, n, n)
end

-- As reserve.lua's: the fourth number counts what was not 2xx, which here is mostly 409.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %.0f %.0f %.0f %d %d %d\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50), latency:percentile(99), errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.requests))
end
