package services_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/services"
)

// staffLine is a line of one member of staff.
func staffLine(from time.Time, n int) string {
	return combined(from.Add(time.Duration(n)*time.Second), "192.0.2.7", "agent14", fmt.Sprintf("GET /staff/%d HTTP/1.1", n), 200, "-", "curl/8.5.0")
}

// turnsUnderLoad rotates every key that is rotated while lines of one member
// of staff come. No line is lost or rejected, and each pseudonym that the
// member had is still resolved, in memory, from the site's directory.
func (s *site) turnsUnderLoad(path string, now time.Time) {
	s.t.Helper()
	ctx := context.Background()
	const each = 40
	before := s.count(entriesCount)
	turns := []string{"tap", "webhook", "principals", "line"}
	for round, key := range turns {
		for i := range each {
			if i == each/2 {
				wait(s.t, "a line of before", func() bool { return s.count(entriesCount) > before })
				if _, err := s.attach().Rotate(ctx, services.RotateRequest{Key: key}); err != nil {
					s.t.Fatalf("rotate %s: %v", key, err)
				}
			}
			s.appendTo(path, staffLine(now.Add(-20*time.Minute), round*each+i))
		}
	}
	s.waitCount(before+len(turns)*each, entriesCount)
	if n := s.count("SELECT count() FROM rejections"); n != 0 {
		s.t.Errorf("%d rejections while keys turned", n)
	}
	seen := s.rows("SELECT DISTINCT principal_id FROM entries WHERE principal_label = 'Support' ORDER BY principal_id")
	if len(seen) != 2 {
		s.t.Fatalf("%d pseudonyms of one member of staff, want one of each key: %v", len(seen), seen)
	}
	directory := []byte("number,login\n13,agent13\n14,agent14\n15,\"agent15\"\n")
	for _, row := range seen {
		r, err := s.attach().Who(ctx, services.WhoRequest{Pseudonym: row[0], Reason: "T-1", Directory: directory})
		if err != nil {
			s.t.Fatal(err)
		}
		if !slices.Equal(r.Lines, []int{3}) || !slices.Equal(r.Declared, []string{"Support"}) {
			s.t.Errorf("who: %+v", r)
		}
	}
	for what, r := range map[string]services.WhoRequest{
		"no pseudonym": {Pseudonym: "v1.agent14", Reason: "T-1"},
		"no reason":    {Pseudonym: seen[0][0]},
		"no such key":  {Pseudonym: "v1.aaaaaaa.AAAAAAAAAAAAAAAAAAAAAA", Reason: "T-1"},
	} {
		if _, err := s.attach().Who(ctx, r); err == nil || text.HintOf(err) == "" || strings.Contains(err.Error(), "agent14") {
			s.t.Errorf("%s: %v", what, err)
		}
	}
	for key := range map[string]bool{"ledger": true, "site": true, "install": true} {
		if _, err := s.attach().Rotate(ctx, services.RotateRequest{Key: key}); err == nil || text.HintOf(err) == "" {
			s.t.Errorf("rotate %s: %v", key, err)
		}
	}
}

// key finds a key of the list.
func (s *site) key(role, status string) services.KeyInfo {
	s.t.Helper()
	l, err := s.attach().Keys(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, k := range l.Keys {
		if strings.HasPrefix(k.Role, role) && k.Status == status {
			return k
		}
	}
	s.t.Fatalf("no %s key of %s in %+v", status, role, l.Keys)
	return services.KeyInfo{}
}

// twoPeople destroys a key and puts a destruction off, each only after a second
// person agreed.
func (s *site) twoPeople(now time.Time) {
	s.t.Helper()
	ctx := context.Background()
	const password = "correct horse battery"
	for _, name := range []string{"ana", "ben"} {
		if err := s.app.Registers().AddUser(ctx, name, password, registers.RoleKeyOfficer); err != nil {
			s.t.Fatal(err)
		}
	}
	request := func(by string, r services.KeyActRequest) (int64, error) {
		r.User, r.Password = by, cmp.Or(r.Password, password)
		res, err := s.attach().RequestKeyAct(ctx, r)
		if err != nil {
			return 0, err
		}
		return res.Approval, nil
	}
	decide := func(n int64, name string) error { // as the console does
		err := s.app.Registers().DecideApproval(ctx, n, registers.User{Name: name, Roles: []registers.Role{registers.RoleKeyOfficer}}, true)
		return errors.Join(err, s.app.CarryOut(ctx, now))
	}
	year, retired := s.key("pseudonyms of principals", "primary"), s.key("pseudonyms of principals", "retired")
	hook := s.key("webhook", "enabled")
	n, err := request("ana", services.KeyActRequest{ID: retired.ID, Reason: "T-2"})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := decide(n, "ana"); !errors.Is(err, registers.ErrOwnRequest) {
		s.t.Errorf("who requested decides: %v", err)
	}
	s.key("pseudonyms of principals", "retired") // still there
	if err := decide(n, "ben"); err != nil {
		s.t.Fatal(err)
	}
	until := year.Destroyed.AddDate(0, 1, 0).Truncate(24 * time.Hour)
	if n, err = request("ben", services.KeyActRequest{ID: year.ID, Until: until, Reason: "T-3"}); err != nil {
		s.t.Fatal(err)
	}
	if err := decide(n, "ana"); err != nil {
		s.t.Fatal(err)
	}
	if k := s.key("pseudonyms of principals", "primary"); k.ID != year.ID || !k.Destroyed.Equal(until) {
		s.t.Errorf("after a delay until %v: %+v", until, k)
	}
	if err := s.attach().SetKey(ctx, services.SetKeyRequest{ID: hook.ID}); err != nil {
		s.t.Fatal(err)
	}
	if n, err = request("ben", services.KeyActRequest{ID: s.key("webhook", "disabled").ID, Reason: "T-4"}); err != nil {
		s.t.Fatal(err)
	}
	if err := decide(n, "ana"); err != nil {
		s.t.Fatal(err)
	}
	left, err := s.attach().Keys(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, k := range left.Keys {
		if k.ID == retired.ID || k.ID == hook.ID {
			s.t.Errorf("a destroyed key is there: %+v", k)
		}
	}
	for what, r := range map[string]services.KeyActRequest{
		"the key in use":      {ID: s.key("line", "primary").ID, Reason: "T"},
		"an earlier day":      {ID: year.ID, Until: now, Reason: "T"},
		"a wrong password":    {ID: year.ID, Reason: "T", Password: "wrong password"},
		"a delay of line key": {ID: s.key("line", "retired").ID, Until: now.AddDate(1, 0, 0), Reason: "T"},
	} {
		if n, err := request("ana", r); err == nil || text.HintOf(err) == "" {
			s.t.Errorf("%s: request %d, error %v", what, n, err)
		}
	}
}

const backupPassphrase = "a few unrelated words"

func (s *site) backup() (b [2][]byte) {
	s.t.Helper()
	for i, phrase := range []string{"", backupPassphrase} {
		r, err := s.attach().BackupKeys(context.Background(), services.BackupRequest{Passphrase: phrase})
		if err != nil {
			s.t.Fatal(err)
		}
		b[i] = r.Data
	}
	return b
}

// restore makes installations of both back-ups: one with the same service, one
// with the passphrase and a key file.
func (s *site) restore(backup [2][]byte) {
	s.t.Helper()
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	ask := func() (string, error) { return backupPassphrase, nil }
	for i, data := range backup {
		cfg := *s.cfg
		cfg.Data = filepath.Join(s.t.TempDir(), "data")
		if i == 1 {
			cfg.Keys.KEK = filepath.Join(s.t.TempDir(), "new.kek")
			wrong := func() (string, error) { return "some other words", nil }
			if _, err := services.RestoreKeys(ctx, &cfg, data, wrong, log); err == nil || text.HintOf(err) == "" {
				s.t.Errorf("a wrong passphrase: %v", err)
			}
		}
		r, err := services.RestoreKeys(ctx, &cfg, data, ask, log)
		if err != nil {
			s.t.Fatal(err)
		}
		if r.Pseudonyms != 1 || r.Keysets < 6 || len(r.LineKeys) < 2 {
			s.t.Errorf("%+v", r)
		}
		if _, err := services.RestoreKeys(ctx, &cfg, data, ask, log); err == nil || text.HintOf(err) == "" {
			s.t.Errorf("into a folder that is not empty: %v", err)
		}
		db, err := registers.Open(ctx, filepath.Join(cfg.Data, "registers.db"))
		if err != nil {
			s.t.Fatal(err)
		}
		live, err := db.DayKeys(ctx)
		if err != nil || len(live) != 1 || live[0].Kind != keys.KindYear {
			s.t.Errorf("pseudonym keys: %+v, %v", live, err)
		}
		acts, err := db.Acts(ctx, 10)
		if err != nil || len(acts) != 1 || acts[0].Act != "keys.restore" {
			s.t.Errorf("trail: %+v, %v", acts, err)
		}
		if err := db.Close(); err != nil {
			s.t.Error(err)
		}
	}
	cfg := *s.cfg
	cfg.Data, cfg.Keys.KEK = filepath.Join(s.t.TempDir(), "data"), ""
	if _, err := services.RestoreKeys(ctx, &cfg, backup[0], ask, log); err == nil || !strings.Contains(text.HintOf(err), "keys.kek") {
		s.t.Errorf("a back-up that a service opens, without it: %v", err)
	}
	if have, err := filepath.Glob(filepath.Join(cfg.Data, "*")); err != nil && !errors.Is(err, fs.ErrNotExist) || len(have) != 0 {
		s.t.Errorf("a restore that failed left %v, %v", have, err)
	}
}

// Keys turn by the calendar, also what fell due while nothing ran.
func TestRotationSchedule(t *testing.T) {
	for _, tc := range []struct{ name, zone, made, want string }{
		{"first of the month", "", "2026-11-21T10:00:00Z", "2026-12-01T04:00:00Z"},
		{"in a zone", "America/Sao_Paulo", "2026-11-21T10:00:00Z", "2026-12-01T07:00:00Z"},
		{"made long ago", "", "2026-01-15T00:00:00Z", "2026-02-01T04:00:00Z"},
	} {
		made, _ := time.Parse(time.RFC3339, tc.made)
		r := services.RotationConfig{Key: "tap", Cron: "0 4 1 * *", Zone: tc.zone}
		if at, err := services.NextRotation(&r, made); err != nil || at.UTC().Format(time.RFC3339) != tc.want {
			t.Errorf("%s: %v, %v; want %s", tc.name, at, err, tc.want)
		}
	}
}
