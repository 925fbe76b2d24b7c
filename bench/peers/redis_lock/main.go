// A peer of Holdfast's benchmark: the seat reservation of contract 1 (docs/contracts.md) as its documentation describes it. It locks the seat in
// Redis, reserves it in PostgreSQL, tells Kafka, gives the lock back and answers:
//
//	redis_lock -listen 127.0.0.1:8080 -postgresql URL -redis URL -kafka HOST:PORT -topic reservation-created
//
// Its tables are in schema.sql. The seat's row decides: without Redis two buyers would still not get one seat. If Kafka fails after the commit,
// or the process ends there, the reservation stays and its message is lost. The protocol has no remedy for that.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	holdTime     = 15 * time.Minute
	lockTime     = 30 * time.Second
	requestLimit = 10 * time.Second // for all that one request does outside
	sessions     = 32               // of PostgreSQL
	redisSockets = 64
)

// One statement is one transaction, and one round trip. It changes nothing if the seat is taken or does not exist.
const takeSeat = `
WITH seat AS (
  UPDATE seats SET reserved_until = $4 WHERE id = $1 AND reserved_until <= $3 RETURNING section, row, number, base_price
), reservation AS (
  INSERT INTO reservations (id, seatid, customerid, createdat, expiresat, status) SELECT $2, $1, $5, $3, $4, 'active' FROM seat
)
SELECT section, row, number, base_price::float8 FROM seat`

// The lock may have expired and be somebody else's by now.
var releaseLock = redis.NewScript(`if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end`)

var (
	errLocked  = errors.New("locked")
	errTaken   = errors.New("taken")
	errUnknown = errors.New("unknown")
)

type desk struct {
	locks *redis.Client
	store *pgxpool.Pool
	feed  *kgo.Client
	topic string
}

// reserve: the lock is free again when it returns. The caller's request may be given up meanwhile; what has begun is finished.
func (d *desk) reserve(seat uuid.UUID, customer string) (reservation, error) {
	ctx, cancel := context.WithTimeout(context.Background(), requestLimit)
	defer cancel()
	key, token := "lock:seat:"+undashed(seat), uuid.NewString()
	locked, err := d.locks.SetNX(ctx, key, token, lockTime).Result()
	if err != nil {
		return reservation{}, err
	}
	if !locked {
		return reservation{}, errLocked
	}
	defer func() {
		if err := releaseLock.Run(ctx, d.locks, []string{key}, token).Err(); err != nil {
			log.Printf("error: lock of seat %s: %v", seat, err) // it ends by itself
		}
	}()
	made, place, err := d.take(ctx, seat, customer)
	if err != nil {
		return reservation{}, err
	}
	message := kgo.Record{Topic: d.topic, Key: []byte(undashed(seat)), Value: encode(made.created(place))}
	return made, d.feed.ProduceSync(ctx, &message).FirstErr()
}

func (d *desk) take(ctx context.Context, seat uuid.UUID, customer string) (reservation, place, error) {
	now := time.Now().UTC().Truncate(time.Microsecond) // as exact as PostgreSQL
	made := reservation{uuid.New(), seat, customer, now, now.Add(holdTime)}
	var at place
	err := d.store.QueryRow(ctx, takeSeat, seat.String(), made.id.String(), made.createdAt, made.expiresAt, customer).
		Scan(&at.section, &at.row, &at.number, &at.basePrice)
	if !errors.Is(err, pgx.ErrNoRows) {
		return made, at, err
	}
	var exists bool
	if err := d.store.QueryRow(ctx, "SELECT EXISTS (SELECT FROM seats WHERE id = $1)", seat.String()).Scan(&exists); err != nil {
		return made, at, err
	}
	if !exists {
		return made, at, errUnknown
	}
	return made, at, errTaken
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatalf("error: %v", err)
	}
	return value
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to serve")
	postgresql := flag.String("postgresql", "", "URL of the database")
	lock := flag.String("redis", "", "URL of the Redis")
	kafka := flag.String("kafka", "", "a broker, HOST:PORT")
	topic := flag.String("topic", "reservation-created", "topic of the messages")
	flag.Parse()

	uuid.EnableRandPool()
	pool := must(pgxpool.ParseConfig(*postgresql))
	pool.MaxConns = sessions
	sockets := must(redis.ParseURL(*lock))
	sockets.PoolSize = redisSockets
	d := &desk{
		locks: redis.NewClient(sockets),
		store: must(pgxpool.NewWithConfig(context.Background(), pool)),
		feed:  must(kgo.NewClient(kgo.SeedBrokers(*kafka), kgo.AllowAutoTopicCreation())), // acks=all, idempotent, no linger
		topic: *topic,
	}
	server := http.Server{Addr: *listen, Handler: d.routes(), ReadHeaderTimeout: requestLimit}
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	go func() {
		<-stop.Done()
		_ = server.Close() // the benchmark has ended: nobody waits for an answer
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatalf("error: %v", err)
	}
}
