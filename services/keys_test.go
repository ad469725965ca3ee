package services_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys/kms"
	"github.com/tallystick/tallystick/masking/keys/kms/kmstest"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/services"
)

// A running site whose keys Vault wraps changes its line key between batches,
// by hand and by the clock, and destroys the old ones in time; no line is lost,
// and the trail names each act.
func TestLineKeysTurn(t *testing.T) {
	s := newSite(t)
	vault := kmstest.New(t)
	s.cfg.Keys.KEK, s.cfg.Keys.KMS = vault.Vault, vault.Config
	now := time.Now().UTC()
	path := s.write("shop.log", pages(now.Add(-time.Hour), 0, 100)...)
	s.write("datamap.yaml", "organisation: {key: own, name: Shop Ltd, country: DE}", "systems: [{key: shop, name: Shop, country: DE}]", "principals: [{match: agent14, kind: staff, label: Support}]")
	s.cfg.Sources = []source.Config{{Name: "shop", File: path, Format: "nginx:combined"}}
	s.cfg.Keys.LineRotation = 7 * 24 * time.Hour
	s.cfg.Keys.Rotate = []services.RotationConfig{{Key: "principals", Cron: "0 4 1 1 *"}, {Key: "tap", Cron: "0 4 1 * *"}} // there are no principals at first
	s.start()
	s.waitCount(100, entriesCount)
	first := s.lineKeys()
	if len(first) != 1 || !first[0].Destroyed.IsZero() {
		t.Fatalf("%+v", first)
	}

	r, err := s.attach().Rotate(context.Background(), services.RotateRequest{Key: "line"})
	if err != nil {
		t.Fatal(err)
	}
	s.appendTo(path, pages(now.Add(-30*time.Minute), 100, 50)...)
	s.waitCount(150, entriesCount)
	if n := s.count("SELECT uniqExact(keys) FROM chunks WHERE entries > 0"); n != 2 {
		t.Errorf("chunks name %d line keys, want 2", n)
	}
	if k := s.lineKeys(); len(k) != 2 || k[0].Status != "retired" || k[1].ID != r.Key {
		t.Fatalf("%+v", k)
	}

	s.turn(now.Add(6 * 24 * time.Hour))
	if k := s.lineKeys(); len(k) != 2 {
		t.Fatalf("after six days: %+v", k)
	}
	s.turn(now.Add(8 * 24 * time.Hour))
	if k := s.lineKeys(); len(k) != 3 || k[1].Status != "retired" {
		t.Fatalf("after eight days: %+v", k)
	}
	s.turn(now.Add(31 * 24 * time.Hour))
	for _, k := range s.lineKeys() {
		if k.ID == first[0].ID {
			t.Errorf("a key that was retired a month ago still exists: %+v", k)
		}
	}
	trail, err := s.app.Registers().Acts(context.Background(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var acts []string
	for _, e := range trail {
		if strings.HasPrefix(e.Act, "keys.") {
			acts = append(acts, e.Actor[:3]+" "+e.Act)
		}
	}
	for _, want := range []string{"os: keys.rotate", "sys keys.rotate", "sys keys.destroy", "os: keys.list"} {
		if !strings.Contains(strings.Join(acts, "\n"), want) {
			t.Errorf("the trail lacks %q:\n%s", want, strings.Join(acts, "\n"))
		}
	}
	tap := s.key("tap", "primary").ID
	if err := s.app.TurnBySchedule(context.Background(), now.AddDate(0, 0, 32)); err != nil {
		t.Fatal(err)
	}
	if s.key("tap", "primary").ID == tap {
		t.Error("a monthly key did not turn in 32 days")
	}
	s.turnsUnderLoad(path, now)
	s.twoPeople(now)
	backup := s.backup()
	s.stop()
	s.restore(backup)
	vault.Away(true)
	if _, err := services.New(context.Background(), services.Options{Config: s.cfg, Targets: services.Targets, Logger: slog.New(slog.DiscardHandler)}); !errors.Is(err, kms.ErrAway) || text.HintOf(err) == "" {
		t.Errorf("a start without Vault: %v", err)
	}
	vault.Away(false)
	s.cfg.Keys.KEK = ""
	if _, err := services.New(context.Background(), services.Options{Config: s.cfg, Logger: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(text.HintOf(err), vault.Vault) {
		t.Errorf("a start with a key file: %v", err)
	}
}

func (s *site) turn(at time.Time) {
	s.t.Helper()
	if err := s.app.TurnKeys(context.Background(), at); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) lineKeys() []services.KeyInfo {
	s.t.Helper()
	l, err := s.attach().Keys(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	var out []services.KeyInfo
	for _, k := range l.Keys {
		if k.Role == "line" {
			out = append(out, k)
		}
	}
	return out
}
