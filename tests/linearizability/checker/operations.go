package main

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"
)

type action string

const (
	hold       action = "hold"        // seats, for a customer or as a ticket lock
	add        action = "add"         // seats to a reservation
	extend     action = "extend"      // a reservation
	release    action = "release"     // seats of a reservation, or all
	unlock     action = "unlock"      // tickets of ticket locks
	freeTicket action = "free ticket" // contract 1's release of a seat: a ticket lock's, never a customer's
	consume    action = "consume"     // a reservation: its seats are sold
	giveBack   action = "return"      // sold seats
	block      action = "block"
	unblock    action = "unblock"
	read       action = "read" // the state of one seat
)

type outcome int

const (
	accepted outcome = iota
	refused
	unknown
)

// operation is what an exchange asks of seats. Its times are ns since the history's beginning.
type operation struct {
	action  action
	client  int
	line    int
	call    int64
	ret     int64 // never: no answer
	outcome outcome

	reservation string   // of commands on a reservation
	seats       []string // that the request names; of commands on a reservation none: all of its seats
	isLock      bool     // hold: a ticket lock
	isReinstate bool     // consume
	only        []string // unlock: only of these reservations; none: of any
	order       string
	durationMs  int64 // hold: how long it shall last; 0: the event's rule

	status int
	code   string   // refused
	owners []string // hold, accepted: the new reservations, one an event
	named  []string // refused: the seats that are the reason
	shown  map[string]seatShown
	until  int64 // accepted: ms since 1970; 0: not said
}

// seatShown is a seat in an answer.
type seatShown struct{ state, reservation string }

// answerBody has the members of all answers that count.
type answerBody struct {
	ID            string   `json:"id"`
	ReservationID string   `json:"reservationId"`
	ExpiresAt     string   `json:"expiresAt"`
	State         string   `json:"state"`
	Code          string   `json:"code"`
	SeatIDs       []string `json:"seatIds"`
	Seats         []struct {
		ID    string `json:"id"`
		State string `json:"state"`
	} `json:"seats"`
	Data struct {
		ReservationIDs []string `json:"reservationIds"`
		NotAvailable   []string `json:"nodisponible"`
	} `json:"data"`
}

type ticketsBody struct {
	Reserved       []string `json:"ticketd_reserved"`
	Tickets        []string `json:"tickets"`
	TicketIDs      []string `json:"ticket_ids"`
	ReservationIDs []string `json:"reservationIds"`
	ReservedTime   float64  `json:"reserved_time"`
}

type requestBody struct {
	SeatID      string           `json:"seatId"`
	SeatIDs     []string         `json:"seatIds"`
	HoldSeconds float64          `json:"holdSeconds"`
	OrderID     string           `json:"orderId"`
	Reinstate   bool             `json:"reinstate"`
	Best        *json.RawMessage `json:"bestAvailable"`
	Data        *ticketsBody     `json:"data"`
	ticketsBody
}

const contract1HoldMs = 15 * 60 * 1000

// operationOf reads an exchange. nil: it says nothing about the state of a seat.
func operationOf(e *exchange) (*operation, error) {
	op := &operation{client: e.Client, line: e.line, call: e.Call, ret: never, outcome: unknown, status: e.Status}
	if e.Return != nil && !e.isUnknown() {
		op.ret = *e.Return
		op.outcome = refused
		if e.isAccepted() {
			op.outcome = accepted
		}
	}
	var asked requestBody
	var said answerBody
	if err := decode(e.Request, &asked); err != nil {
		return nil, fmt.Errorf("line %d: request: %v", e.line, err)
	}
	if op.outcome != unknown {
		if err := decode(e.Answer, &said); err != nil {
			return nil, fmt.Errorf("line %d: answer: %v", e.line, err)
		}
	}
	op.code = said.Code
	op.named = append(append([]string{}, said.SeatIDs...), said.Data.NotAvailable...)
	if said.ExpiresAt != "" {
		at, err := time.Parse(time.RFC3339, said.ExpiresAt)
		if err != nil {
			return nil, fmt.Errorf("line %d: %v", e.line, err)
		}
		op.until = at.UnixMilli()
	}
	op.shown = map[string]seatShown{}
	for _, seat := range said.Seats {
		op.shown[seat.ID] = seatShown{state: seat.State}
	}
	if err := op.readTarget(e, &asked, &said); err != nil {
		return nil, fmt.Errorf("line %d: %s %s: %v", e.line, e.Method, e.Target, err)
	}
	if op.outcome == refused && !op.isObservation() {
		return nil, nil
	}
	if op.action == read && op.outcome != accepted {
		return nil, nil
	}
	return op, nil
}

func decode(text json.RawMessage, into interface{}) error {
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, into)
}

// readTarget sets the action and its arguments. An unknown target is an error: what it did to the seats would be missing in the history.
func (op *operation) readTarget(e *exchange, asked *requestBody, said *answerBody) error {
	parts := strings.Split(strings.TrimPrefix(e.Target, "/"), "/")
	switch {
	case e.Method == "POST" && e.Target == "/reservations":
		op.action, op.seats, op.durationMs = hold, []string{asked.SeatID}, contract1HoldMs
		op.owners = []string{said.ReservationID}
		if op.outcome == refused && len(op.named) == 0 {
			op.named = op.seats
		}
	case e.Method == "POST" && e.Target == "/v1/reservations":
		op.action, op.seats, op.durationMs = hold, asked.SeatIDs, int64(asked.HoldSeconds*1000)
		op.owners = []string{said.ID}
		if asked.Best != nil {
			return op.readBest()
		}
	case e.Method == "POST" && e.Target == "/tickets_lock":
		tickets := asked.tickets()
		op.action, op.isLock, op.seats, op.durationMs = hold, true, tickets.ids(), int64(tickets.ReservedTime*1000)
		op.owners = said.Data.ReservationIDs
		if len(op.named) > 0 {
			op.code = "tickets_not_available"
		}
	case e.Method == "POST" && e.Target == "/tickets_unlock_param":
		tickets := asked.tickets()
		op.action, op.seats, op.only = unlock, tickets.ids(), tickets.ReservationIDs
	case e.Method == "POST" && len(parts) == 4 && parts[0] == "v1" && parts[1] == "reservations":
		return op.readCommand(parts[2], parts[3], asked)
	case e.Method == "PUT" && strings.HasPrefix(e.Target, "/api/v1/seats/") && parts[len(parts)-1] == "release":
		op.action, op.seats = freeTicket, []string{parts[3]}
		op.named = op.seats
	case e.Method == "POST" && len(parts) == 4 && parts[1] == "events" && (parts[3] == "block" || parts[3] == "unblock"):
		op.action, op.seats = action(parts[3]), asked.SeatIDs
	case e.Method == "GET" && len(parts) == 3 && parts[1] == "seats":
		op.action, op.seats = read, []string{parts[2]}
		op.shown = map[string]seatShown{parts[2]: {said.State, said.ReservationID}}
	default:
		return fmt.Errorf("this checker does not know what the call does to seats")
	}
	return nil
}

// readBest: the answer says which seats they are. Without one, every seat of the event could be meant.
func (op *operation) readBest() error {
	if op.outcome == unknown {
		return fmt.Errorf("a hold of the best available seats has no answer, so nobody knows its seats")
	}
	op.seats = nil
	for seat := range op.shown {
		op.seats = append(op.seats, seat)
	}
	return nil
}

func (op *operation) readCommand(reservation, verb string, asked *requestBody) error {
	op.reservation, op.seats, op.order, op.isReinstate = reservation, asked.SeatIDs, asked.OrderID, asked.Reinstate
	switch verb {
	case "add", "extend", "release", "consume", "return":
		op.action = action(verb)
		return nil
	}
	return fmt.Errorf("this checker does not know what the call does to seats")
}

func (r *requestBody) tickets() *ticketsBody {
	if r.Data != nil {
		return r.Data
	}
	return &r.ticketsBody
}

func (t *ticketsBody) ids() []string {
	return append(append(append([]string{}, t.Reserved...), t.Tickets...), t.TicketIDs...)
}

// isObservation says whether the refusal tells something about the state of seats.
func (op *operation) isObservation() bool {
	switch op.code {
	case "seat_unavailable", "tickets_not_available", "reservation_expired", "reservation_not_active", "reservation_not_found", "seat_not_sold":
		return true
	}
	return false
}

// reservations knows which seats each reservation ever had, which reservations have an answered hold, and which of these are ticket locks.
type reservations struct {
	seats   map[string]map[string]bool
	created map[string]bool
	locks   map[string]bool
}

func learn(ops []*operation) *reservations {
	known := &reservations{map[string]map[string]bool{}, map[string]bool{}, map[string]bool{}}
	note := func(reservation, seat string) {
		if reservation == "" {
			return
		}
		if known.seats[reservation] == nil {
			known.seats[reservation] = map[string]bool{}
		}
		known.seats[reservation][seat] = true
	}
	for _, op := range ops {
		if op.action == hold && op.outcome == accepted {
			for _, owner := range op.owners {
				known.created[owner] = true
				known.locks[owner] = op.isLock
				for _, seat := range op.seats {
					note(owner, seat)
				}
			}
		}
		if op.action == add && op.outcome != refused {
			for _, seat := range op.seats {
				note(op.reservation, seat)
			}
		}
		for seat, shown := range op.shown {
			note(op.reservation+shown.reservation, seat) // only one of them is there
		}
	}
	return known
}

// touched lists the seats that the operation says something about, each once, sorted.
func (op *operation) touched(known *reservations) []string {
	set := map[string]bool{}
	for _, seat := range op.seats {
		set[seat] = true
	}
	isOfAll := op.reservation != "" && (len(op.seats) == 0 || op.action == add)
	if isOfAll && (op.outcome != accepted || op.action == release || op.action == giveBack) {
		for seat := range known.seats[op.reservation] {
			set[seat] = true
		}
	}
	for seat := range op.shown {
		set[seat] = true
	}
	list := make([]string, 0, len(set))
	for seat := range set {
		list = append(list, seat)
	}
	sort.Strings(list)
	return list
}

func contains(list []string, text string) bool {
	for _, each := range list {
		if each == text {
			return true
		}
	}
	return false
}
