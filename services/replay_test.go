package services_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/services"
)

// agreement are pairs of questions whose answers must be one number each at
// every moment, whatever is re-processed.
const agreement = `SELECT toString(tuple(
	(SELECT count() FROM entries) + (SELECT count() FROM rejections), (SELECT sum(received) FROM completeness),
	(SELECT count() FROM entries) = (SELECT sum(entries) FROM entries_hourly), (SELECT count() FROM rejections) = (SELECT sum(rejected) FROM completeness)))`

func (s *site) replay(r services.ReplayRequest) *services.ReplaySummary {
	s.t.Helper()
	sum, err := s.app.Replay(context.Background(), r, func(services.Progress) {})
	if err != nil {
		s.t.Fatal(err)
	}
	return sum
}

// TestReplayWithNewMap: a data map that comes later re-processes what is stored.
// While it does, every reader sees either the old version or the new one.
func TestReplayWithNewMap(t *testing.T) {
	s := newSite(t)
	s.cfg.Kafka.Keep = time.Hour
	from := time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Second)
	lines := append(pages(from, 0, 3000), "garbage")
	lines[7] = strings.Replace(lines[7], "/products/", "/find?who=person7@example.org&n=", 1)
	path := s.write("shop.log", lines...)
	s.cfg.Sources = []source.Config{{Name: "shop", File: path, Format: "nginx:combined", System: "shop"}}
	s.start("ledger", "auditor")
	s.ingest(services.IngestRequest{Files: []string{path}, Format: "nginx:combined"})
	if n := s.count("SELECT count() FROM findings WHERE control LIKE 'GP-%'"); n == 0 {
		t.Fatal("nothing is undeclared, so there is nothing to see")
	}
	violations := s.rows("SELECT id, detected FROM findings WHERE kind = 'violation' ORDER BY id")
	chunks := s.count("SELECT uniqExact(chunk) FROM entries")
	s.stop()

	s.cfg.DataMap = s.write("datamap.yaml", `organisation: {key: own, name: Aurora, country: DE}
systems:
- {key: shop, name: Shop, country: DE}
purposes:
- key: sale
  name: {en: Sale, pt-BR: Venda}
  data_use: essential.service
  legal_basis: {gdpr: "6(1)(b)"}
  categories: [user.contact]
  subject_types: [customer]
  retention: 24 months
  from: 2025-01-01
resources:
- {system: shop, match: "GET /products/*", categories: []}
- {system: shop, match: "GET /find?who={subject:email}", categories: [user.contact.email], subject_types: [customer], purposes: [sale]}
`)
	s.start("ledger", "auditor")
	before := s.rows(agreement)[0][0]
	done, agreed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(agreed)
		for {
			select {
			case <-done:
				return
			default:
			}
			if now := s.rows(agreement)[0][0]; now != before {
				t.Errorf("while it is re-processed the record says %s, before %s", now, before)
				return
			}
		}
	}()
	sum := s.replay(services.ReplayRequest{From: from.Add(-time.Hour), Until: time.Now().Add(time.Hour), Source: "shop"})
	close(done)
	<-agreed
	if sum.Chunks != uint64(chunks) || sum.Gone != 0 || sum.Entries != 3000 || sum.Rejections != 1 {
		t.Errorf("%+v of %d chunks", sum, chunks)
	}
	if now := s.rows(agreement)[0][0]; now != before {
		t.Errorf("afterwards the record says %s, before %s", now, before)
	}
	for sql, want := range map[string]int{
		entriesCount: 3000,
		"SELECT count() FROM entries WHERE version != 2":          0,
		"SELECT count() FROM entries WHERE NOT resource_declared": 0,
		"SELECT count() FROM entries_all":                         6000,
		"SELECT count() - uniqExact(event_id) FROM entries":       0,
		"SELECT count() FROM findings WHERE control = 'GP-01'":    0,
		"SELECT count() FROM rejections":                          1,
		"SELECT count() FROM chunks WHERE state = 'closed' AND (id, version) NOT IN (SELECT chunk, version FROM leaves)": 0,
	} {
		if n := s.count(sql); n != want {
			t.Errorf("%s: %d, want %d", sql, n, want)
		}
	}
	if now := s.rows("SELECT id FROM findings WHERE kind = 'violation' ORDER BY id"); len(now) != len(violations) || len(now) > 0 && now[0][0] != violations[0][0] {
		t.Errorf("violations %v, before %v", now, violations)
	}
	if v := s.verify(); !v.OK {
		t.Errorf("verify: %v", v.Faults)
	}
	// Once more, interrupted later and later: version 3, and all is as it was.
	interrupted := 0
	for limit := 25 * time.Millisecond; ; limit *= 2 {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		_, err := s.app.Replay(ctx, services.ReplayRequest{From: from.Add(-time.Hour), Until: time.Now().Add(time.Hour), Source: "shop"}, func(services.Progress) {})
		cancel()
		if err == nil {
			break
		}
		interrupted++
		if now := s.rows(agreement)[0][0]; now != before {
			t.Fatalf("after an interrupted replay the record says %s, before %s", now, before)
		}
	}
	s.unfinished(before)
	if n := s.count("SELECT toInt64(max(version)) FROM entries"); n < 3 || interrupted == 0 {
		t.Errorf("version %d after %d interruptions", n, interrupted)
	}
	if now := s.rows(agreement)[0][0]; now != before {
		t.Errorf("after the second time the record says %s, before %s", now, before)
	}
	if v := s.verify(); !v.OK {
		t.Errorf("verify: %v", v.Faults)
	}
	more := s.write("more.log", pages(from.Add(time.Hour), 9000, 10)...)
	if sum := s.ingest(services.IngestRequest{Files: []string{more}, Format: "nginx:combined"}); sum.Entries != 10 {
		t.Errorf("lines after it: %+v", sum)
	}
}

// unfinished leaves versions as a process that is killed in a replay does: those
// that did not close are gone before the next one serves, and those that did are
// what readers see. Nobody waits for any.
func (s *site) unfinished(agreed string) {
	s.t.Helper()
	ctx := s.t.Context()
	check := func(when string) {
		s.t.Helper()
		list, err := s.app.Store().UnfinishedReplays(ctx)
		if err != nil || len(list) > 0 {
			s.t.Errorf("%s: %+v are unfinished, %v", when, list, err)
		}
		if now := s.rows(agreement)[0][0]; now != agreed {
			s.t.Errorf("%s: the record says %s, before %s", when, now, agreed)
		}
	}
	leave := func() (c *audit.Chunk) {
		s.t.Helper()
		row := s.rows("SELECT chunk, version FROM entries ORDER BY chunk LIMIT 1")[0]
		version, err := strconv.Atoi(row[1])
		c = &audit.Chunk{ID: row[0], Version: uint16(version + 1), Opened: time.Now(), Salt: []byte(rand.Text() + rand.Text())}
		b := store.NewEntryBlock()
		err = errors.Join(err, s.app.Store().EachEntry(ctx, c.ID, c.Version-1, func(e *audit.Entry) error {
			e.Version = c.Version
			return b.Append(e)
		}), s.app.Store().OpenChunk(ctx, c), s.app.Store().InsertEntries(ctx, c, b))
		if err != nil {
			s.t.Fatal(err)
		}
		return c
	}
	end := func(when string) {
		s.t.Helper()
		wait(s.t, "for the end of replays "+when, func() bool { // it may be under way
			err := s.app.EndReplays(ctx)
			list, lerr := s.app.Store().UnfinishedReplays(ctx)
			return errors.Join(err, lerr) == nil && len(list) == 0
		})
		check(when)
	}
	end("after interruptions")
	c := leave()
	end("while it runs")
	if n := s.count(fmt.Sprintf("SELECT count() FROM entries_all WHERE chunk = '%s' AND version = %d", c.ID, c.Version)); n != 0 {
		s.t.Errorf("%d entries of a version that never closed", n)
	}
	leave()
	s.stop()
	s.open("ledger", "auditor")
	check("before anything is served")
	s.run()
}

// TestReplayRejections: lines that another format reads become entries of a
// chunk of their own; the others stay rejections.
func TestReplayRejections(t *testing.T) {
	s := newSite(t)
	from := time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Second)
	lines := pages(from, 0, 300)
	for i := 100; i < 140; i++ {
		lines[i], _, _ = strings.Cut(lines[i], ` "-" "`) // the common format
	}
	lines[200] = "garbage"
	path := s.write("shop.log", lines...)
	s.cfg.Sources = []source.Config{{Name: "shop", File: path, Format: "nginx:combined"}}
	s.start("ledger", "auditor")
	s.ingest(services.IngestRequest{Files: []string{path}, Format: "nginx:combined"})
	before := s.rows(agreement)[0][0]
	span := services.ReplayRequest{From: from.Add(-time.Hour), Until: time.Now().Add(time.Hour), Rejections: true}
	if sum := s.replay(span); sum.Chunks != 0 || sum.Rejections != 41 {
		t.Errorf("with the same format: %+v", sum)
	}
	s.stop()
	s.cfg.Sources[0].Format = "apache:common"
	s.start("ledger", "auditor")
	for i, want := range []services.ReplaySummary{{Chunks: 1, Entries: 40, Rejections: 1}, {Rejections: 1}} {
		got := *s.replay(span)
		got.Seconds, got.Findings = 0, 0
		if got != want {
			t.Errorf("replay %d: %+v, want %+v", i+1, got, want)
		}
	}
	if now := s.rows(agreement)[0][0]; now != before {
		t.Errorf("the record says %s, before %s", now, before)
	}
	for sql, want := range map[string]int{
		entriesCount: 299,
		"SELECT count() - uniqExact(event_id) FROM entries": 0,
		"SELECT count() FROM rejections":                    1,
		"SELECT count() FROM rejections_all":                41,
	} {
		if n := s.count(sql); n != want {
			t.Errorf("%s: %d, want %d", sql, n, want)
		}
	}
	if v := s.verify(); !v.OK {
		t.Errorf("verify: %v", v.Faults)
	}
	partition := s.count("SELECT any(partition) FROM chunks WHERE id IN (SELECT chunk FROM entries WHERE source = 'shop' AND version = 1)")
	more := 0
	wait(t, "the broker deletes what is stored: all but the last of the partition", func() bool {
		more++
		name := fmt.Sprintf("more%d.log", more)
		s.ingest(services.IngestRequest{Files: []string{s.write(name, pages(from, 500*more, 5)...)}, Format: "nginx:combined"})
		first := 0
		err := s.app.Broker().Read(context.Background(), broker.Lines, partition, 0, 1, func(broker.Message) error { first++; return nil })
		return err == nil && first == 0
	})
	if sum := s.replay(services.ReplayRequest{From: span.From, Until: span.Until, Source: "shop"}); sum.Gone != 1 || sum.Chunks != 0 {
		t.Errorf("lines that the broker has no more: %+v", sum)
	}
	acts, err := s.app.Registers().Acts(context.Background(), 100)
	if err != nil || !slices.ContainsFunc(acts, func(a registers.Act) bool { return a.Act == "replay" }) {
		t.Errorf("the trail does not name the replays: %v", err)
	}
}
