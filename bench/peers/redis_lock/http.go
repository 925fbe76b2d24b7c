package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	bodyBytesMax     = 64 << 10
	customerBytesMax = 256
)

type reservation struct {
	id, seat             uuid.UUID
	customer             string
	createdAt, expiresAt time.Time
}

type place struct {
	section, row, number string
	basePrice            float64
}

type answer struct {
	ReservationID uuid.UUID `json:"reservationId"`
	SeatID        uuid.UUID `json:"seatId"`
	CustomerID    string    `json:"customerId"`
	ExpiresAt     time.Time `json:"expiresAt"`
	Status        string    `json:"status"`
}

// message is the value of a record of the topic reservation-created.
type message struct {
	EventID       uuid.UUID `json:"eventId"`
	ReservationID uuid.UUID `json:"reservationId"`
	CustomerID    string    `json:"customerId"`
	SeatID        uuid.UUID `json:"seatId"`
	SeatNumber    string    `json:"seatNumber"`
	Section       string    `json:"section"`
	BasePrice     float64   `json:"basePrice"`
	CreatedAt     time.Time `json:"createdAt"`
	ExpiresAt     time.Time `json:"expiresAt"`
	Status        string    `json:"status"`
}

type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Error  string `json:"error"`
}

func (r reservation) created(at place) message {
	return message{uuid.New(), r.id, r.customer, r.seat, at.section + "-" + at.row + "-" + at.number, at.section, at.basePrice,
		r.createdAt, r.expiresAt, "active"}
}

func undashed(id uuid.UUID) string { return hex.EncodeToString(id[:]) }

func encode(value any) []byte { return must(json.Marshal(value)) }

func (d *desk) routes() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	routes.HandleFunc("/reservations", d.post)
	return routes
}

func (d *desk) post(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, "only POST")
		return
	}
	var wanted struct{ SeatID, CustomerID string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyBytesMax)).Decode(&wanted); err != nil {
		refuse(w, http.StatusBadRequest, "the body is not JSON: "+err.Error())
		return
	}
	seat, err := uuid.Parse(wanted.SeatID)
	if err != nil || seat == uuid.Nil {
		refuse(w, http.StatusBadRequest, "seatId must be a UUID")
		return
	}
	if len(wanted.CustomerID) > customerBytesMax || strings.TrimSpace(wanted.CustomerID) == "" {
		refuse(w, http.StatusBadRequest, "customerId must have 1 to 256 bytes")
		return
	}
	made, err := d.reserve(seat, wanted.CustomerID)
	switch {
	case err == nil:
		w.Header().Set("Location", "/reservations/"+made.id.String())
		send(w, http.StatusCreated, "application/json", answer{made.id, seat, made.customer, made.expiresAt, "active"})
	case errors.Is(err, errLocked):
		refuse(w, http.StatusConflict, "Could not acquire lock for seat "+seat.String()+". Seat may be reserved or locked.")
	case errors.Is(err, errTaken):
		refuse(w, http.StatusConflict, "Seat "+seat.String()+" is reserved")
	case errors.Is(err, errUnknown):
		refuse(w, http.StatusNotFound, "Seat "+seat.String()+" not found")
	default:
		log.Printf("error: seat %s: %v", seat, err)
		refuse(w, http.StatusServiceUnavailable, "the outcome is unknown")
	}
}

func refuse(w http.ResponseWriter, status int, detail string) {
	send(w, status, "application/problem+json", problem{"about:blank", http.StatusText(status), status, detail, detail})
}

func send(w http.ResponseWriter, status int, kind string, body any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(encode(body)) // a client that has gone needs no answer
}
