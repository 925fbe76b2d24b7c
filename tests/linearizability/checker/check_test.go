package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What the test's histories are made of. All times are in ms; the wall clock is at wallBegin when a history begins.

const wallBegin = 1_771_949_700_000

type recorded struct {
	call, ret int64 // ret 0: no answer
	method    string
	target    string
	key       string
	request   string
	status    int
	answer    string
	replayed  bool
}

func at(ms int64) string {
	return time.UnixMilli(wallBegin + ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// reserve is contract 1's hold of a seat; it is refused if `reservation` is empty, and has no answer if ret is 0.
func reserve(call, ret int64, seat, reservation string) recorded {
	r := recorded{call: call, ret: ret, method: "POST", target: "/reservations", request: fmt.Sprintf(`{"seatId":%q,"customerId":"c"}`, seat)}
	if reservation == "" {
		r.status, r.answer = 409, `{"code":"seat_unavailable"}`
	} else {
		r.status, r.answer = 201, fmt.Sprintf(`{"reservationId":%q,"seatId":%q,"expiresAt":%q}`, reservation, seat, at(call+contract1HoldMs))
	}
	return r
}

// holdUntil is a hold of seats that ends at a time.
func holdUntil(call, ret, until int64, reservation string, seats ...string) recorded {
	return recorded{call: call, ret: ret, method: "POST", target: "/v1/reservations", request: fmt.Sprintf(`{"customerId":"c","seatIds":["%s"]}`, strings.Join(seats, `","`)),
		status: 201, answer: fmt.Sprintf(`{"id":%q,"expiresAt":%q,"seats":%s}`, reservation, at(until), shownAs("held", seats))}
}

func shownAs(state string, seats []string) string {
	var items []string
	for _, seat := range seats {
		items = append(items, fmt.Sprintf(`{"id":%q,"state":%q}`, seat, state))
	}
	return "[" + strings.Join(items, ",") + "]"
}

func lock(call, ret int64, reservation string, seats ...string) recorded {
	return recorded{call: call, ret: ret, method: "POST", target: "/tickets_lock",
		request: fmt.Sprintf(`{"data":{"ticketd_reserved":["%s"],"reserved_time":600}}`, strings.Join(seats, `","`)), status: 200,
		answer: fmt.Sprintf(`{"data":{"reservationIds":["%s"]}}`, reservation)}
}

func unlockOf(call, ret int64, seats ...string) recorded {
	return recorded{call: call, ret: ret, method: "POST", target: "/tickets_unlock_param",
		request: fmt.Sprintf(`{"data":{"tickets":["%s"]}}`, strings.Join(seats, `","`)), status: 200, answer: `{"data":{}}`}
}

// extendTo is an extension of R1, which holds A.
func extendTo(call, ret, until int64) recorded {
	r := command(call, ret, "R1", "extend", `{"holdSeconds":900}`, "held", "A")
	r.answer = fmt.Sprintf(`{"id":"R1","expiresAt":%q,"seats":%s}`, at(until), shownAs("held", []string{"A"}))
	return r
}

// command is one on a reservation; `state` is what its seats are after it.
func command(call, ret int64, reservation, verb, request, state string, seats ...string) recorded {
	return recorded{call: call, ret: ret, method: "POST", target: "/v1/reservations/" + reservation + "/" + verb, request: request, status: 200,
		answer: fmt.Sprintf(`{"id":%q,"expiresAt":%q,"seats":%s}`, reservation, at(call+contract1HoldMs), shownAs(state, seats))}
}

func look(call, ret int64, seat, state, reservation string) recorded {
	return recorded{call: call, ret: ret, method: "GET", target: "/v1/seats/" + seat, status: 200,
		answer: fmt.Sprintf(`{"id":%q,"state":%q,"reservationId":%q}`, seat, state, reservation)}
}

func (r recorded) refused(status int, code string, seats ...string) recorded {
	r.status, r.answer = status, fmt.Sprintf(`{"code":%q}`, code)
	if len(seats) > 0 {
		r.answer = fmt.Sprintf(`{"code":%q,"seatIds":["%s"]}`, code, strings.Join(seats, `","`))
	}
	return r
}

func (r recorded) keyed(key string, isReplay bool) recorded {
	r.key, r.replayed = key, isReplay
	return r
}

func write(t *testing.T, history []recorded) string {
	t.Helper()
	lines := fmt.Sprintf("{\"monotonic\":1000,\"wall\":%d}\n", wallBegin)
	for i, r := range history {
		line := map[string]interface{}{"client": i, "call": 1000 + r.call*nanosPerMilli, "return": nil, "method": r.method, "target": r.target,
			"key": r.key, "request": json.RawMessage(orNull(r.request))}
		if r.ret != 0 {
			line["return"], line["status"], line["replayed"] = 1000+r.ret*nanosPerMilli, r.status, r.replayed
			line["answer"] = json.RawMessage(orNull(r.answer))
		}
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		lines += string(text) + "\n"
	}
	path := filepath.Join(t.TempDir(), "history.jsonl")
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func orNull(text string) string {
	if text == "" {
		return "null"
	}
	return text
}

func verdict(t *testing.T, history []recorded, arguments ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	status := run(append(arguments, write(t, history)), &out, &out)
	return status, out.String()
}

const empty = "{}"

var linearizable = map[string][]recorded{
	"a hold, its release, and a hold by another": {
		reserve(1, 2, "A", "R1"), reserve(3, 4, "A", ""), command(5, 6, "R1", "release", empty, "available", "A"), reserve(7, 8, "A", "R2"),
	},
	"of two at the same time either may win": {reserve(1, 9, "A", ""), reserve(2, 8, "A", "R1")},
	"a refusal in the middle of a hold and its release": {
		reserve(1, 9, "A", "R1"), reserve(2, 30, "A", ""), command(20, 29, "R1", "release", empty, "available", "A"), reserve(21, 28, "A", "R2"),
	},
	"a hold without an answer that happened":       {reserve(1, 0, "A", "?"), reserve(5, 6, "A", ""), look(7, 8, "A", "held", "R9")},
	"a hold without an answer that never happened": {reserve(1, 0, "A", "?"), look(3, 4, "A", "available", ""), reserve(5, 6, "A", "R2")},
	"a hold without an answer that happens late": {
		reserve(1, 0, "A", "?"), look(3, 4, "A", "available", ""), look(5, 6, "A", "held", "R9"),
		command(7, 8, "R9", "release", empty, "available", "A"), reserve(9, 10, "A", "R2"),
	},
	"a release without an answer": {
		reserve(1, 2, "A", "R1"), command(3, 0, "R1", "release", empty, "", "A"), reserve(5, 6, "A", ""), reserve(7, 8, "A", "R2"),
	},
	"503 is no answer": {reserve(1, 2, "A", "R1").refused(503, "unavailable"), look(3, 4, "A", "held", "R1")},
	"a hold that ended by its time": {
		holdUntil(1, 2, 60_000, "R1", "A"), reserve(59_000, 59_500, "A", ""), reserve(60_001, 60_002, "A", "R2"),
	},
	"an extended hold": {
		holdUntil(1, 2, 60_000, "R1", "A"), extendTo(3, 4, 900_000), reserve(100_000, 100_001, "A", ""),
	},
	"a sale and its return": {
		reserve(1, 2, "A", "R1"), command(3, 4, "R1", "consume", `{"orderId":"O"}`, "sold", "A"), reserve(5, 6, "A", ""),
		command(7, 8, "R1", "return", `{"orderId":"O"}`, "available", "A"), reserve(9, 10, "A", "R2"),
	},
	"a late payment takes a free seat": {
		holdUntil(1, 2, 10_000, "R1", "A"), command(20_000, 20_001, "R1", "consume", `{"orderId":"O","reinstate":true}`, "sold", "A"),
		reserve(20_002, 20_003, "A", ""),
	},
	"seats of one hold, given back one by one": {
		holdUntil(1, 2, 900_000, "R1", "A", "B"), command(3, 4, "R1", "release", `{"seatIds":["A"]}`, "available", "A"), reserve(5, 6, "A", "R2"),
		reserve(7, 8, "B", ""),
	},
	"a refused set names only some of its seats": {
		reserve(1, 2, "A", "R1"), holdUntil(3, 4, 0, "", "A", "B").refused(409, "seat_unavailable", "A"), reserve(5, 6, "B", "R2"),
	},
	"ticket locks": {lock(1, 2, "R1", "A", "B"), reserve(3, 4, "A", ""), unlockOf(5, 6, "A"), reserve(7, 8, "A", "R2"), reserve(9, 10, "B", "")},
	"a seat that is added to a ticket lock is one": {
		lock(1, 2, "R1", "A"), command(3, 4, "R1", "add", `{"seatIds":["B"]}`, "held", "A", "B"), reserve(5, 6, "B", ""), unlockOf(7, 8, "B"),
		reserve(9, 10, "B", "R2"), reserve(11, 12, "A", ""),
	},
	"a seat that is added to a reservation of which nobody knows what it is": {
		lock(1, 0, "?", "A"), command(3, 4, "R1", "add", `{"seatIds":["B"]}`, "held", "A", "B"), reserve(5, 6, "B", ""), unlockOf(7, 8, "B"),
		reserve(9, 10, "B", "R2"),
	},
	"an unlock leaves a customer's seat alone": {reserve(1, 2, "A", "R1"), unlockOf(3, 4, "A"), reserve(5, 6, "A", "")},
	"a request that is repeated by its key after it was lost": {
		reserve(1, 0, "A", "?").keyed("k", false), reserve(5, 6, "A", ""), reserve(7, 8, "A", "R1").keyed("k", true), reserve(9, 10, "A", "R1").keyed("k", true),
	},
	"a request that was lost before it happened": {
		reserve(1, 0, "A", "?").keyed("k", false), look(3, 4, "A", "available", ""), reserve(5, 6, "A", "R1").keyed("k", false), reserve(7, 8, "A", ""),
	},
	"a blocked seat": {
		{call: 1, ret: 2, method: "POST", target: "/v1/events/E/block", request: `{"seatIds":["A"]}`, status: 200, answer: empty}, reserve(3, 4, "A", ""),
		{call: 5, ret: 6, method: "POST", target: "/v1/events/E/unblock", request: `{"seatIds":["A"]}`, status: 200, answer: empty}, reserve(7, 8, "A", "R1"),
	},
}

var notLinearizable = map[string][]recorded{
	"a seat is given to two": {reserve(1, 5, "A", "R1"), reserve(2, 6, "A", "R2")},
	"a seat is sold twice": {
		reserve(1, 2, "A", "R1"), command(3, 4, "R1", "consume", `{"orderId":"O"}`, "sold", "A"), reserve(5, 6, "A", "R2"),
		command(7, 8, "R2", "consume", `{"orderId":"P"}`, "sold", "A"),
	},
	"a hold is lost: another gets the seat before its end": {holdUntil(1, 2, 60_000, "R1", "A"), reserve(58_000, 58_900, "A", "R2")},
	"a hold is lost: its seat is shown free":               {reserve(1, 2, "A", "R1"), look(3, 4, "A", "available", "")},
	"a hold is lost: its reservation is unknown": {
		reserve(1, 2, "A", "R1"), command(3, 4, "R1", "release", empty, "", "A").refused(404, "reservation_not_found"),
	},
	"a hold is lost in a set": {holdUntil(1, 2, 900_000, "R1", "A", "B"), reserve(3, 4, "B", "R2")},
	"a seat is added that another has": {
		reserve(1, 2, "B", "R1"), reserve(3, 4, "A", "R2"), command(5, 6, "R1", "add", `{"seatIds":["A"]}`, "held", "A", "B"),
	},
	"an answer shows a seat that is another's by then": {
		holdUntil(1, 2, 900_000, "R1", "A", "B"), command(3, 4, "R1", "release", `{"seatIds":["A"]}`, "available", "A"), reserve(5, 6, "A", "R2"),
		command(7, 8, "R1", "consume", `{"orderId":"O"}`, "sold", "A", "B"),
	},
	"an answer shows that a seat is no longer held": {
		holdUntil(1, 2, 900_000, "R1", "A"), command(3, 4, "R1", "consume", `{"orderId":"O"}`, "available", "A"),
	},
	"a hold without an answer has the reservation of another hold": {reserve(1, 0, "A", "?"), reserve(3, 4, "B", "R1"), look(5, 6, "A", "held", "R1")},
	"a hold without an answer has one reservation":                 {reserve(1, 0, "A", "?"), look(3, 4, "A", "held", "R8"), look(5, 6, "A", "held", "R9")},
	"a request that is no replay had happened before": {
		reserve(1, 0, "A", "?").keyed("k", false), reserve(3, 4, "A", ""), reserve(5, 6, "A", "R1").keyed("k", false),
	},
	"a sale is lost": {
		reserve(1, 2, "A", "R1"), command(3, 4, "R1", "consume", `{"orderId":"O"}`, "sold", "A"), look(5, 6, "A", "held", "R1"),
	},
	"a release is lost": {reserve(1, 2, "A", "R1"), command(3, 4, "R1", "release", empty, "available", "A"), look(5, 6, "A", "held", "R1")},
	"a refusal that is no longer true": {
		reserve(1, 2, "A", "R1"), command(3, 4, "R1", "release", empty, "available", "A"), reserve(5, 6, "A", ""),
	},
	"a refusal before anybody asked": {reserve(1, 2, "A", ""), reserve(3, 4, "A", "R1")},
	"a hold that outlives its time":  {holdUntil(1, 2, 10_000, "R1", "A"), reserve(12_000, 12_001, "A", "")},
	"an extended hold outlives its time": {
		holdUntil(1, 2, 10_000, "R1", "A"), extendTo(3, 4, 20_000), reserve(22_000, 22_001, "A", ""),
	},
	"an extended hold is lost": {holdUntil(1, 2, 10_000, "R1", "A"), extendTo(3, 4, 20_000), reserve(15_000, 15_001, "A", "R2")},
	"an unanswered hold explains one loss, not two": {
		reserve(1, 0, "A", "?"), reserve(3, 4, "A", ""), command(5, 6, "R9", "release", empty, "available", "A"), reserve(7, 8, "A", ""),
	},
	"a replay that had no first": {
		reserve(1, 2, "A", "R1"), reserve(3, 0, "A", "?").keyed("k", false), reserve(5, 6, "A", "R2").keyed("k", true),
	},
	"a seat is shown with another's reservation": {reserve(1, 2, "A", "R1"), reserve(1, 2, "B", "R2"), look(3, 4, "A", "held", "R2")},
}

func TestHistoriesThatAnOrderExplainsPass(t *testing.T) {
	for name, history := range linearizable {
		if status, out := verdict(t, history); status != 0 {
			t.Errorf("%s: status %d\n%s", name, status, out)
		}
	}
}

func TestHistoriesThatNoOrderExplainsAreFoundWithTheirSeat(t *testing.T) {
	for name, history := range notLinearizable {
		status, out := verdict(t, history)
		if status != 1 || !strings.Contains(out, "NOT LINEARIZABLE") || !(strings.Contains(out, "seat A:") || strings.Contains(out, "seat B:")) {
			t.Errorf("%s: status %d\n%s", name, status, out)
		}
	}
}

// A hundred rounds of hold and release, and one seat that is given twice in the 50th.
func TestTheWindowHasTheContradictionAndLittleElse(t *testing.T) {
	var history []recorded
	for i := int64(0); i < 100; i++ {
		r := fmt.Sprintf("R%d", i)
		history = append(history, reserve(10*i+1, 10*i+2, "A", r), reserve(10*i+2, 10*i+3, "A", ""))
		if i == 50 {
			history = append(history, reserve(10*i+4, 10*i+5, "A", "TWICE"))
		}
		history = append(history, command(10*i+6, 10*i+7, r, "release", empty, "available", "A"))
	}
	status, out := verdict(t, history)
	if status != 1 || !strings.Contains(out, "reservation R50") || !strings.Contains(out, "reservation TWICE") {
		t.Fatalf("status %d\n%s", status, out)
	}
	if !strings.Contains(out, "no order of these 2 operations") {
		t.Errorf("the window is longer than two holds:\n%s", out)
	}
}

func TestReadsOfNodesThatAreALittleBehindCanBeLeftOut(t *testing.T) {
	history := []recorded{reserve(1, 2, "A", "R1"), look(3, 4, "A", "available", "")}
	if status, out := verdict(t, history, "-reads=false"); status != 0 {
		t.Errorf("status %d\n%s", status, out)
	}
}

func TestARefusedTicketLockMayBeOfASeatThatAnotherNodeHadLocked(t *testing.T) {
	refusal := lock(1, 2, "", "A")
	refusal.status, refusal.answer = 400, `{"data":{"nodisponible":["A"]}}`
	history := []recorded{refusal, reserve(3, 4, "A", "R1")}
	if status, out := verdict(t, history, "-seat-locks"); status != 0 {
		t.Errorf("with seat locks: status %d\n%s", status, out)
	}
	if status, out := verdict(t, history); status != 1 {
		t.Errorf("without: status %d\n%s", status, out)
	}
}

func TestATimeLimitThatIsOverIsAFailureThatSaysSo(t *testing.T) {
	status, out := verdict(t, []recorded{reserve(1, 2, "A", "R1")}, "-limit", "0s")
	if status != 1 || !strings.Contains(out, "UNKNOWN: the time limit") {
		t.Errorf("status %d\n%s", status, out)
	}
}

func TestWhatCannotBeCheckedIsAnErrorAndNotAPass(t *testing.T) {
	cases := map[string][]recorded{
		"no operation":     {},
		"an unknown call":  {{call: 1, ret: 2, method: "POST", target: "/v1/reservations/R1/upgrade", request: empty, status: 200, answer: empty}},
		"unknown seats":    {{call: 1, method: "POST", target: "/v1/reservations", request: `{"bestAvailable":{"quantity":2}}`}},
		"broken timestamp": {{call: 1, ret: 2, method: "POST", target: "/reservations", request: empty, status: 201, answer: `{"expiresAt":"tomorrow"}`}},
	}
	for name, history := range cases {
		if status, out := verdict(t, history); status != 2 {
			t.Errorf("%s: status %d\n%s", name, status, out)
		}
	}
	var out bytes.Buffer
	if status := run([]string{filepath.Join(t.TempDir(), "missing.jsonl")}, &out, &out); status != 2 {
		t.Errorf("a missing file: status %d\n%s", status, out.String())
	}
}
