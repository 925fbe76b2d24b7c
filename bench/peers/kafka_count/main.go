// Checks what a run of the benchmark has published:
//
//	kafka_count HOST:PORT TOPIC WANTED
//
// It reads the committed messages of a topic from its beginning until it has WANTED, and prints how many it read. Status 1: a seat was
// published twice, or the messages did not come in time.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const patience = 60 * time.Second

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: kafka_count HOST:PORT TOPIC WANTED")
	}
	wanted, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatalf("kafka_count: WANTED is not a number: %v", err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Args[1]), kgo.ConsumeTopics(os.Args[2]),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		log.Fatalf("kafka_count: %v", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	seats := make(map[string]bool, wanted) // a message's key is its seat
	for len(seats) < wanted {
		fetched := client.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			log.Fatalf("kafka_count: %s has %d messages of %d: %v", os.Args[2], len(seats), wanted, err)
		}
		fetched.EachRecord(func(record *kgo.Record) {
			if seats[string(record.Key)] {
				log.Fatalf("kafka_count: seat %s was published twice", record.Key)
			}
			seats[string(record.Key)] = true
		})
	}
	fmt.Println(len(seats))
}
