//go:build faults && linux

// Package faults_test kills the processes of the product, its brokers and its
// store with SIGKILL at random moments under load, again and again, and then
// asks whether every line is in the record exactly once. Nothing of the product
// is reached but through its binary, its log file and its webhooks. Run it by
// make faults, which builds the binary.
//
// The kills are numbered: 0-99 strike the one process in which everything is
// embedded, 100-169 processes that share one Apache Kafka broker, 170-199 such
// with three. Ten kills are an episode with an installation of its own, whose
// chances come from the seed and the episode's number. The variables of the
// environment are SEED, FROM and UNTIL, numbers of kills.
package faults_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const perEpisode = 10

// shapes are the deployments, with the kills that strike each.
var shapes = []shape{
	{name: "embedded", kills: 100},
	{name: "one broker", kills: 70, brokers: 1},
	{name: "three brokers", kills: 30, brokers: 3},
}

type shape struct {
	name    string
	kills   int
	brokers int // 0: everything in one process
	// session is how long a broker may be silent before it counts as dead.
	// 0: 3 s.
	session time.Duration
}

// TestMain is the stand-in for a ClickHouse server when its variable is set.
func TestMain(m *testing.M) {
	if dir := os.Getenv(storeDir); dir != "" {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		if err := serveStore(dir, os.Getenv(storeAddr), stop); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func number(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		t.Fatalf("%s is not a number", name)
	}
	return n
}

// TestFaultKills is the suite.
func TestFaultKills(t *testing.T) {
	seed := number(t, "SEED", time.Now().UnixNano()%1_000_000)
	from, until := number(t, "FROM", 0), number(t, "UNTIL", 200)
	t.Logf("seed %d", seed)
	first := int64(0)
	for _, s := range shapes {
		for done := 0; done < s.kills; done += perEpisode {
			at := first + int64(done)
			if at+perEpisode <= from || at >= until {
				continue
			}
			ok := t.Run(fmt.Sprintf("%s/%d-%d", s.name, at, at+perEpisode-1), func(t *testing.T) {
				began := time.Now()
				e := newEpisode(t, s, rand.New(rand.NewPCG(uint64(seed), uint64(at))))
				e.run()
				t.Logf("%d lines, %d violations, %v", e.written, e.violations, time.Since(began).Round(time.Second))
			})
			if !ok {
				t.Fatalf("repeat: make faults SEED=%d FROM=%d UNTIL=%d; go on: make faults SEED=%d FROM=%d", seed, at, at+1, seed, at+perEpisode)
			}
		}
		first += int64(s.kills)
	}
}
