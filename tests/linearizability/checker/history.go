package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
)

// A history is a file of JSON lines, written by tests/support/history.h. The first line is a timestamps, each other one an exchange.

// timestamps is one moment on two clocks: the monotonic one that times the calls, and the wall clock that dates the answers.
type timestamps struct {
	MonotonicNs int64 `json:"monotonic"`
	WallMs      int64 `json:"wall"`
}

// exchange is a request and what came back.
type exchange struct {
	Client   int             `json:"client"` // a connection
	Call     int64           `json:"call"`   // ns of the monotonic clock, before the first byte was sent
	Return   *int64          `json:"return"` // after the last byte of the answer; nil: no answer came
	Method   string          `json:"method"`
	Target   string          `json:"target"`
	Key      string          `json:"key"` // Idempotency-Key; empty: none
	Request  json.RawMessage `json:"request"`
	Status   int             `json:"status"`
	Replayed bool            `json:"replayed"` // Idempotency-Replayed: true
	Answer   json.RawMessage `json:"answer"`   // of a refusal only `code` and the seats that it names

	line int
}

// never is the return of an operation that has none.
const never = math.MaxInt64

const (
	historyLineBytesMax = 16 << 20
	nanosPerMilli       = 1_000_000
)

// isUnknown says that the request may have happened or not: no answer came, or one that says so.
func (e *exchange) isUnknown() bool { return e.Return == nil || e.Status >= 500 }
func (e *exchange) isAccepted() bool {
	return e.Return != nil && (e.Status == 200 || e.Status == 201)
}

// readHistory returns the exchanges with times in ns since the history's first line.
func readHistory(path string) ([]*exchange, timestamps, error) {
	var start timestamps
	file, err := os.Open(path)
	if err != nil {
		return nil, start, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<16), historyLineBytesMax)
	var all []*exchange
	for number := 1; lines.Scan(); number++ {
		if number == 1 {
			if err := json.Unmarshal(lines.Bytes(), &start); err != nil || start.WallMs == 0 {
				return nil, start, fmt.Errorf("%s:1: the first line must have `monotonic` and `wall`", path)
			}
			continue
		}
		e := &exchange{line: number}
		if err := json.Unmarshal(lines.Bytes(), e); err != nil {
			return nil, start, fmt.Errorf("%s:%d: %v", path, number, err)
		}
		e.Call -= start.MonotonicNs
		if e.Return != nil {
			*e.Return -= start.MonotonicNs
		}
		all = append(all, e)
	}
	if err := lines.Err(); err != nil {
		return nil, start, fmt.Errorf("%s: %v", path, err)
	}
	if start.WallMs == 0 {
		return nil, start, fmt.Errorf("%s is empty", path)
	}
	return all, start, nil
}
