// Command linearizability checks recorded histories of tests: whether what the program answered can be explained by one order of the operations
// in which each takes effect at one moment between its call and its return.
//
//	linearizability [-limit 2m] [-tolerance 1s] [-reads=false] [-seat-locks] HISTORY…
//
// A history is a file of tests/support/history.h. Status 0: all can be explained. 1: one cannot, and the output has the seat and the shortest
// part of its history that shows it; or the time limit was over before an answer. 2: a history cannot be read, or the arguments are wrong.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
)

const (
	windowLimit    = 20 * time.Second // for the shortest window of one seat; less if less is left of all time
	violationsMax  = 3                // that are shown of a history
	progressPeriod = 10 * time.Second
)

type settings struct {
	limit        time.Duration
	tolerance    time.Duration
	reads        bool
	hasSeatLocks bool
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(arguments []string, out, errors io.Writer) int {
	var s settings
	flags := flag.NewFlagSet("linearizability", flag.ContinueOnError)
	flags.SetOutput(errors)
	flags.DurationVar(&s.limit, "limit", 2*time.Minute, "time for all histories; an answer that takes longer is a failure")
	flags.DurationVar(&s.tolerance, "tolerance", time.Second, "how far the ledger's clock may be from this machine's, for the ends of holds")
	flags.BoolVar(&s.reads, "reads", true, "check what reads showed; nodes over one database show what is a little old")
	flags.BoolVar(&s.hasSeatLocks, "seat-locks", false, "a refused ticket lock may name a seat that another node had locked for a moment")
	if flags.Parse(arguments) != nil {
		return 2
	}
	if flags.NArg() == 0 {
		fmt.Fprintln(errors, "linearizability: no history is named")
		return 2
	}
	deadline := time.Now().Add(s.limit)
	status := 0
	for _, path := range flags.Args() {
		if worse := checkHistory(path, s, deadline, out, errors); worse > status {
			status = worse
		}
	}
	return status
}

// checkHistory returns the status that run() has for this history alone.
func checkHistory(path string, s settings, deadline time.Time, out, errors io.Writer) int {
	name := strings.TrimSuffix(filepath.Base(path), ".jsonl")
	begun := time.Now()
	c, err := newChecker(path, s.tolerance, s.hasSeatLocks, !s.reads)
	if err != nil {
		fmt.Fprintf(errors, "linearizability: %v\n", err)
		return 2
	}
	seats := c.seats()
	if len(seats) == 0 {
		fmt.Fprintf(errors, "linearizability: %s has no operation on a seat\n", path)
		return 2
	}
	results := c.checkAll(seats, deadline, func(done int) {
		fmt.Fprintf(errors, "%s: %d of %d seats after %.0f s\n", name, done, len(seats), time.Since(begun).Seconds())
	})
	var broken, open []string
	inputs := 0
	for i, seat := range seats {
		inputs += len(c.bySeat[seat])
		switch results[i] {
		case porcupine.Illegal:
			broken = append(broken, seat)
		case porcupine.Unknown:
			open = append(open, seat)
		}
	}
	fmt.Fprintf(out, "%s: %d requests (%d without an answer that says what happened), %d operations on %d seats, in %.1f s: ",
		name, c.exchanges, c.unknowns, inputs, len(seats), time.Since(begun).Seconds())
	switch {
	case len(broken) > 0:
		fmt.Fprintf(out, "NOT LINEARIZABLE, %d seats\n", len(broken))
		for i, seat := range broken {
			if i == violationsMax {
				fmt.Fprintf(out, "and %d more\n", len(broken)-violationsMax)
				break
			}
			c.explain(seat, deadline, out)
		}
		return 1
	case len(open) > 0:
		sort.Slice(open, func(i, j int) bool { return len(c.bySeat[open[i]]) > len(c.bySeat[open[j]]) })
		fmt.Fprintf(out, "UNKNOWN: the time limit of %s was over before %d seats were done; the longest is %s with %d operations. "+
			"Raise -limit, or record a shorter history\n", s.limit, len(open), open[0], len(c.bySeat[open[0]]))
		return 1
	}
	fmt.Fprintln(out, "linearizable")
	return 0
}

// checkAll judges all seats, as many at once as there are processors.
func (c *checker) checkAll(seats []string, deadline time.Time, progress func(done int)) []porcupine.CheckResult {
	results := make([]porcupine.CheckResult, len(seats))
	var next, done int64 = -1, 0
	var workers sync.WaitGroup
	for i := 0; i < runtime.NumCPU(); i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for {
				i := int(atomic.AddInt64(&next, 1))
				if i >= len(seats) {
					return
				}
				results[i] = c.check(seats[i], time.Until(deadline))
				atomic.AddInt64(&done, 1)
			}
		}()
	}
	ended := make(chan struct{})
	go func() {
		workers.Wait()
		close(ended)
	}()
	ticker := time.NewTicker(progressPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return results
		case <-ticker.C:
			progress(int(atomic.LoadInt64(&done)))
		}
	}
}

// explain prints the shortest window of a seat's history, one operation a line, by their calls. It ends at the deadline with a longer one.
func (c *checker) explain(seat string, deadline time.Time, out io.Writer) {
	limit := time.Until(deadline)
	if limit > windowLimit {
		limit = windowLimit
	}
	part := c.window(seat, limit)
	fmt.Fprintf(out, "seat %s: no order of these %d operations is possible, whatever was before them:\n", seat, len(part))
	if len(part) == 0 {
		return
	}
	sort.Slice(part, func(i, j int) bool { return part[i].op.call < part[j].op.call })
	begin := part[0].op.call
	for _, in := range part {
		until := "no answer "
		if in.op.ret != never {
			until = fmt.Sprintf("%10.3f", float64(in.op.ret-begin)/nanosPerMilli)
		}
		note := ""
		if in.isOptional {
			note = "   (overlaps the edge: may be before or after)"
		}
		fmt.Fprintf(out, "  %10.3f to %s ms  client %-4d line %-7d %s%s\n", float64(in.op.call-begin)/nanosPerMilli, until, in.op.client, in.op.line,
			in.op, note)
	}
}

// String is what was asked and answered, as in `hold A-1 -> 201 reservation 4711…`.
func (op *operation) String() string {
	text := string(op.action)
	if op.reservation != "" {
		text += " of reservation " + op.reservation
	}
	if len(op.seats) > 0 {
		text += " of " + listed(op.seats, 4)
	}
	if op.order != "" {
		text += " for order " + op.order
	}
	switch {
	case op.ret == never && op.outcome == unknown:
		return text + " -> unknown"
	case op.outcome == refused:
		return fmt.Sprintf("%s -> %d %s", text, op.status, op.code)
	case op.action == hold:
		text += fmt.Sprintf(" -> %d reservation %s", op.status, strings.Join(op.owners, ", "))
	case op.action == read:
		shown := op.shown[op.seats[0]]
		text += fmt.Sprintf(" -> %s %s", shown.state, shown.reservation)
	default:
		text += fmt.Sprintf(" -> %d", op.status)
	}
	if op.until != 0 {
		text += " until " + time.UnixMilli(op.until).UTC().Format("15:04:05.000Z")
	}
	return text
}

func listed(texts []string, max int) string {
	if len(texts) <= max {
		return strings.Join(texts, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(texts[:max], ", "), len(texts)-max)
}
