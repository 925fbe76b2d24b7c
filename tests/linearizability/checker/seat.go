package main

import (
	"fmt"
	"hash/fnv"
	"math"
	"strings"

	"github.com/anishathalye/porcupine"
)

type kind byte

const (
	free kind = iota
	held
	sold
	blocked
)

func (k kind) String() string { return [...]string{"free", "held", "sold", "blocked"}[k] }

// seatState is one seat as its history can have left it.
//
// owner: the reservation; `A|B` where a ticket lock of several events has these, one of which is the seat's; `?12` for the hold in line 12, which
// has no answer, so that nobody knows its reservation yet.
// A hold ends at a moment from endMin to endMax, in ms since 1970.
type seatState struct {
	kind   kind
	owner  string
	isLock bool
	order  string
	endMin int64
	endMax int64
}

func (s seatState) String() string {
	switch s.kind {
	case held:
		return "held by " + s.owner
	case sold:
		return "sold to " + s.owner
	}
	return s.kind.String()
}

const (
	noBeginning = math.MinInt64 / 2
	noEnd       = math.MaxInt64 / 2
)

// seatInput is an operation as one seat sees it.
type seatInput struct {
	op   *operation
	seat string
	// What it did does not count: it lies on the edge of a window, so it may have taken effect in it or outside.
	isOptional bool
}

// seatRules is the model: what each operation may do to a seat.
type seatRules struct {
	known       *reservations
	wallMs      int64 // at the history's beginning
	toleranceMs int64 // between the clock of the history and the ledger's
	// The refusals of ticket locks name seats that another program or node has locked for a moment, too.
	hasSeatLocks bool
}

// model is of one seat; it begins in one of these states.
func (r *seatRules) model(initial []seatState) porcupine.Model {
	nondeterministic := porcupine.NondeterministicModel{
		Init: func() []interface{} {
			states := make([]interface{}, len(initial))
			for i, state := range initial {
				states[i] = state
			}
			return states
		},
		Step: func(state, input, _ interface{}) []interface{} {
			next := r.step(state.(seatState), input.(*seatInput))
			states := make([]interface{}, len(next))
			for i, each := range next {
				states[i] = each
			}
			return states
		},
		Hash: func(state interface{}) uint64 {
			s := state.(seatState)
			h := fnv.New64a()
			fmt.Fprint(h, s.kind, s.owner)
			return h.Sum64()
		},
	}
	return nondeterministic.ToModel()
}

// step returns the states in which the operation can leave a seat that was in this one; none: it cannot have happened now.
func (r *seatRules) step(state seatState, in *seatInput) []seatState {
	var next []seatState
	for _, now := range r.withExpiry(state, in.op) {
		switch {
		case in.isOptional:
			next = append(append(next, now), r.effects(now, in)...)
		case in.op.action == read:
			next = append(next, r.afterRead(now, in)...)
		case in.op.outcome == refused:
			next = append(next, r.afterRefusal(now, in)...)
		case in.op.outcome == accepted:
			next = append(next, r.afterAnswer(now, in)...)
		default:
			next = append(append(next, now), r.effects(now, in)...)
		}
	}
	return next
}

func (r *seatRules) wallOf(ns int64) int64 {
	if ns == never {
		return noEnd
	}
	return r.wallMs + ns/nanosPerMilli
}

// withExpiry: a hold whose time may be over while the operation lasts may have ended, and one whose time is surely over has.
func (r *seatRules) withExpiry(s seatState, op *operation) []seatState {
	if s.kind != held {
		return []seatState{s}
	}
	var states []seatState
	if r.wallOf(op.call) < s.endMax+r.toleranceMs {
		states = append(states, s)
	}
	if r.wallOf(op.ret) >= s.endMin-r.toleranceMs {
		states = append(states, seatState{kind: free})
	}
	return states
}

// owns says whether the seat's owner can be this reservation.
func (r *seatRules) owns(s seatState, reservation string) bool {
	if strings.HasPrefix(s.owner, "?") {
		return !r.known.created[reservation]
	}
	if !strings.Contains(s.owner, "|") {
		return s.owner == reservation
	}
	return contains(strings.Split(s.owner, "|"), reservation)
}

// disowned are the states in which the owner is another one; none if that is impossible.
func (r *seatRules) disowned(s seatState, reservation string) []seatState {
	if s.owner == "" || !r.owns(s, reservation) || strings.HasPrefix(s.owner, "?") {
		return []seatState{s}
	}
	var others []string
	for _, owner := range strings.Split(s.owner, "|") {
		if owner != reservation {
			others = append(others, owner)
		}
	}
	if len(others) == 0 {
		return nil
	}
	s.owner = strings.Join(others, "|")
	return []seatState{s}
}

// effects are the states after the operation has taken effect; none if it has none on this seat.
func (r *seatRules) effects(s seatState, in *seatInput) []seatState {
	op := in.op
	isOwner := s.owner != "" && op.reservation != "" && r.owns(s, op.reservation)
	isNamed := len(op.seats) == 0 || contains(op.seats, in.seat)
	switch op.action {
	case hold, add:
		if s.kind == free && isNamed {
			return r.newHolds(op)
		}
	case extend:
		if s.kind == held && isOwner {
			s.owner = op.reservation
			s.endMin, s.endMax = maxOf(s.endMin, op.until), noEnd
			if op.until != 0 {
				s.endMin, s.endMax = op.until, op.until
			}
			return []seatState{s}
		}
	case release:
		if s.kind == held && isOwner && isNamed {
			return []seatState{{kind: free}}
		}
	case unlock:
		if s.kind == held && s.isLock && isNamed && r.isOneOf(s, op.only) {
			return []seatState{{kind: free}}
		}
	case freeTicket:
		if s.kind == held && s.isLock {
			return []seatState{{kind: free}}
		}
	case consume:
		isLate := s.kind == free && op.isReinstate
		if (s.kind == held && isOwner) || isLate {
			return []seatState{{kind: sold, owner: op.reservation, order: op.order}}
		}
	case giveBack:
		if s.kind == sold && isOwner && isNamed {
			return []seatState{{kind: free}}
		}
	case block:
		if s.kind == free {
			return []seatState{{kind: blocked}}
		}
	case unblock:
		if s.kind == blocked {
			return []seatState{{kind: free}}
		}
	}
	return nil
}

func (r *seatRules) isOneOf(s seatState, reservations []string) bool {
	if len(reservations) == 0 {
		return true
	}
	for _, reservation := range reservations {
		if r.owns(s, reservation) {
			return true
		}
	}
	return false
}

// newHolds has one state, or two where a seat is added to a reservation of which nobody knows whether it is a ticket lock.
func (r *seatRules) newHolds(op *operation) []seatState {
	s := seatState{kind: held, isLock: op.isLock, endMin: r.wallOf(op.call) + op.durationMs, endMax: noEnd}
	switch {
	case op.action == add:
		s.owner = op.reservation
	case op.outcome == accepted:
		s.owner = strings.Join(op.owners, "|")
	default:
		s.owner = fmt.Sprintf("?%d", op.line)
	}
	if op.until != 0 {
		s.endMin, s.endMax = op.until, op.until
	} else if op.outcome == accepted && op.durationMs != 0 {
		s.endMax = r.wallOf(op.ret) + op.durationMs
	}
	if op.action != add {
		return []seatState{s}
	}
	s.isLock = r.known.locks[op.reservation]
	if r.known.created[op.reservation] {
		return []seatState{s}
	}
	asLock := s
	asLock.isLock = true
	return []seatState{s, asLock}
}

// afterAnswer: it was accepted. Some commands must have an effect on the seat, and what the answer shows must be true after it.
func (r *seatRules) afterAnswer(s seatState, in *seatInput) []seatState {
	op := in.op
	next := r.effects(s, in)
	isNamed := contains(op.seats, in.seat)
	mustTake := op.action == hold || (op.action == add && isNamed)
	if len(next) == 0 {
		if mustTake || (op.action == block && s.kind != blocked) || (op.action == unblock && s.kind != free) {
			return nil
		}
		next = []seatState{s}
	}
	shown, isShown := op.shown[in.seat]
	if op.action == freeTicket {
		shown, isShown = seatShown{state: "available"}, false
		if next[0].kind != free {
			return nil
		}
	}
	var possible []seatState
	for _, state := range next {
		switch {
		case !isShown:
			possible = append(possible, state)
		case shown.state == "held" || shown.state == "sold":
			isOwner := op.action == hold || r.owns(state, op.reservation)
			if state.kind.String() == shown.state && isOwner {
				possible = append(possible, state)
			}
		default:
			possible = append(possible, r.disowned(state, op.reservation)...)
		}
	}
	return possible
}

// afterRefusal: nothing changed, and the reason must hold.
func (r *seatRules) afterRefusal(s seatState, in *seatInput) []seatState {
	op := in.op
	unchanged := []seatState{s}
	isNamed := contains(op.named, in.seat)
	switch op.code {
	case "tickets_not_available":
		if isNamed && s.kind == free && !r.hasSeatLocks {
			return nil
		}
	case "seat_unavailable":
		switch {
		case !isNamed:
		case op.action == release:
			if s.kind == held {
				return r.disowned(s, op.reservation)
			}
		case op.action == unblock:
			if s.kind == blocked {
				return nil
			}
		case op.action == freeTicket:
			if s.kind == free || (s.kind == held && s.isLock) {
				return nil
			}
		case s.kind == free:
			return nil
		}
	case "seat_not_sold":
		if s.kind == sold && (isNamed || len(op.named) == 0) {
			return r.disowned(s, op.reservation)
		}
	case "reservation_expired", "reservation_not_active":
		if s.kind == held {
			return r.disowned(s, op.reservation)
		}
	case "reservation_not_found":
		return r.disowned(s, op.reservation)
	}
	return unchanged
}

// afterRead: the seat was shown as it was.
func (r *seatRules) afterRead(s seatState, in *seatInput) []seatState {
	shown := in.op.shown[in.seat]
	if shown.state == "available" {
		shown.state = "free"
	}
	if s.kind.String() != shown.state {
		return nil
	}
	if shown.reservation != "" {
		if !r.owns(s, shown.reservation) {
			return nil
		}
		s.owner = shown.reservation // known from here on
	}
	return []seatState{s}
}

func maxOf(a, b int64) int64 {
	if a > b {
		return a
	}
	return b
}
