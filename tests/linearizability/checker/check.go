package main

import (
	"fmt"
	"math"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

// checker judges a history, seat by seat: an operation on several seats is one operation in the history of each of them.
type checker struct {
	rules     *seatRules
	ignore    bool // reads
	known     *reservations
	bySeat    map[string][]*seatInput
	exchanges int
	unknowns  int
}

// newChecker reads a history. With `ignoreReads`, what reads showed does not count: nodes over one database show what is a little old.
func newChecker(path string, tolerance time.Duration, hasSeatLocks, ignoreReads bool) (*checker, error) {
	exchanges, start, err := readHistory(path)
	if err != nil {
		return nil, err
	}
	c := &checker{exchanges: len(exchanges), bySeat: map[string][]*seatInput{}, ignore: ignoreReads}
	var ops []*operation
	for _, e := range mergeAttempts(exchanges) {
		op, err := operationOf(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %v", path, err)
		}
		if op == nil || (ignoreReads && op.action == read) {
			continue
		}
		if op.outcome == unknown {
			c.unknowns++
		}
		ops = append(ops, op)
	}
	c.known = learn(ops)
	for _, op := range ops {
		for _, seat := range op.touched(c.known) {
			c.bySeat[seat] = append(c.bySeat[seat], &seatInput{op: op, seat: seat})
		}
	}
	c.rules = &seatRules{known: c.known, wallMs: start.WallMs, toleranceMs: tolerance.Milliseconds(), hasSeatLocks: hasSeatLocks}
	return c, nil
}

func (c *checker) seats() []string {
	list := make([]string, 0, len(c.bySeat))
	for seat := range c.bySeat {
		list = append(list, seat)
	}
	sort.Strings(list)
	return list
}

// check judges the whole history of one seat, which was free at its beginning.
func (c *checker) check(seat string, limit time.Duration) porcupine.CheckResult {
	return c.checkInputs(c.bySeat[seat], []seatState{{kind: free}}, limit)
}

func (c *checker) checkInputs(inputs []*seatInput, initial []seatState, limit time.Duration) porcupine.CheckResult {
	history := make([]porcupine.Operation, len(inputs))
	for i, in := range inputs {
		history[i] = porcupine.Operation{Input: in, Call: in.op.call, Return: in.op.ret}
	}
	if limit <= 0 {
		return porcupine.Unknown
	}
	return porcupine.CheckOperationsTimeout(c.rules.model(initial), history, limit)
}

// window finds the shortest part of a seat's history that no order explains, whatever the state before it was. The time limit is for all of
// its steps; when it is over, the window is longer than it could be.
//
// Its end is the first return up to which the history cannot be explained. Its beginning is the latest moment from which that is still so.
// An operation that overlaps an edge may have taken effect on either side, so what it did does not count.
func (c *checker) window(seat string, limit time.Duration) []*seatInput {
	deadline := time.Now().Add(limit)
	all := c.bySeat[seat]
	atStart := []seatState{{kind: free}}
	isBroken := func(part []*seatInput, initial []seatState) bool {
		return c.checkInputs(part, initial, time.Until(deadline)) == porcupine.Illegal
	}
	var returns, calls []int64
	for _, in := range all {
		if in.op.ret != never {
			returns = append(returns, in.op.ret)
		}
		calls = append(calls, in.op.call)
	}
	sortTimes(returns)
	sortTimes(calls)
	end := sort.Search(len(returns), func(i int) bool { return isBroken(cut(all, math.MinInt64, returns[i]), atStart) })
	if end == len(returns) {
		return all
	}
	to := returns[end]
	later := sort.Search(len(calls), func(i int) bool {
		part := cut(all, calls[i], to)
		return !isBroken(part, anyState(part, calls[i]))
	})
	if later == 0 {
		return c.withoutBystanders(cut(all, math.MinInt64, to), atStart, deadline)
	}
	part := cut(all, calls[later-1], to)
	return c.withoutBystanders(part, anyState(part, calls[later-1]), deadline)
}

// cut takes the operations that overlap the time, and marks those that are not wholly in it.
func cut(all []*seatInput, from, to int64) []*seatInput {
	var part []*seatInput
	for _, in := range all {
		if in.op.call > to || in.op.ret < from {
			continue
		}
		marked := *in
		marked.isOptional = in.op.outcome != unknown && (in.op.call < from || in.op.ret > to)
		part = append(part, &marked)
	}
	return part
}

// withoutBystanders leaves out what changes nothing and is not needed for the contradiction.
func (c *checker) withoutBystanders(part []*seatInput, initial []seatState, deadline time.Time) []*seatInput {
	const tries = 400
	sort.Slice(part, func(i, j int) bool { return part[i].op.call < part[j].op.call })
	for i, left := 0, tries; i < len(part) && left > 0; left-- {
		in := part[i]
		isBystander := in.isOptional || in.op.outcome != accepted || in.op.action == read
		rest := append(append([]*seatInput{}, part[:i]...), part[i+1:]...)
		if isBystander && c.checkInputs(rest, initial, time.Until(deadline)) == porcupine.Illegal {
			part = rest
		} else {
			i++
		}
	}
	return part
}

// anyState are the states in which the seat can be before a window that begins with these operations: those of a reservation that one of them
// names and that is older than the window, or of one that none of them names.
func anyState(part []*seatInput, from int64) []seatState {
	states := []seatState{{kind: free}, {kind: blocked}}
	owners := map[string]bool{"another": true}
	young := map[string]bool{}
	for _, in := range part {
		op := in.op
		created := append([]string{}, op.owners...)
		if op.action == hold && op.outcome == unknown {
			created = append(created, fmt.Sprintf("?%d", op.line))
		}
		for _, owner := range created {
			young[owner] = op.call >= from
			owners[owner] = true
		}
		owners[op.reservation] = true
		owners[op.shown[in.seat].reservation] = true
		for _, owner := range op.only {
			owners[owner] = true
		}
	}
	for owner := range owners {
		if owner == "" || young[owner] {
			continue
		}
		for _, isLock := range []bool{false, true} {
			states = append(states, seatState{kind: held, owner: owner, isLock: isLock, endMin: noBeginning, endMax: noEnd})
		}
		states = append(states, seatState{kind: sold, owner: owner})
	}
	return states
}

func sortTimes(times []int64) { sort.Slice(times, func(i, j int) bool { return times[i] < times[j] }) }
