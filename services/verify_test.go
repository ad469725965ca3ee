package services_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/embedded/clickhouse"
	"github.com/tallystick/tallystick/services"
)

// serveStore opens the store of a site on which nothing runs as a server, which
// the site uses from its next start on: so that it can be tampered with.
func (s *site) serveStore() *clickhouse.Engine {
	s.t.Helper()
	e, err := clickhouse.Open(s.cfg.Data+"/clickhouse", clickhouse.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	srv := httptest.NewServer(e.Handler())
	s.cfg.ClickHouse.Address = srv.URL
	s.t.Cleanup(func() {
		s.stop()
		srv.Close()
		if err := e.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return e
}

// tamper runs statements in a store, as someone with the machine could.
func (s *site) tamper(e *clickhouse.Engine, statements ...string) {
	s.t.Helper()
	for _, sql := range statements {
		q := url.Values{"database": {"tallystick"}, "mutations_sync": {"2"}}
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://clickhouse/?"+q.Encode(), strings.NewReader(sql))
		if err != nil {
			s.t.Fatal(err)
		}
		res, err := e.Transport().RoundTrip(req)
		if err != nil {
			s.t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			s.t.Fatalf("%s: %d %s %v", sql, res.StatusCode, b, err)
		}
	}
}

// TestVerifyNamesTheRow: one changed byte, one row less or one more makes
// verify fail and say which; what was put back verifies again.
func TestVerifyNamesTheRow(t *testing.T) {
	s := newSite(t)
	path := s.write("shop.log", append(pages(time.Now().UTC().Add(-time.Hour), 0, 400), "garbage")...)
	s.start("ledger", "auditor")
	s.ingest(services.IngestRequest{Files: []string{path}, Format: "nginx:combined"})
	if v := s.verify(); !v.OK || v.Rows < 401 || v.Chunks == 0 || len(v.Faults) != 0 {
		t.Fatalf("untouched: %+v", v)
	}
	row := s.rows("SELECT chunk, row, url_template, stream, offset FROM entries WHERE row = 123")[0]
	s.stop()
	e := s.serveStore()
	where := "WHERE chunk = '" + row[0] + "' AND row = 123 SETTINGS mutations_sync = 2"
	raised := 0
	for _, tc := range []struct {
		name       string
		do, undo   []string
		table, row string
		fresh      int // findings that are new
	}{
		{"a byte changed", []string{"ALTER TABLE entries_all UPDATE url_template = 'GET /producta/{id}' " + where},
			[]string{"ALTER TABLE entries_all UPDATE url_template = '" + row[2] + "' " + where}, "entries", "123", 1},
		{"a number changed", []string{"ALTER TABLE entries_all UPDATE status_code = 201 " + where},
			[]string{"ALTER TABLE entries_all UPDATE status_code = 200 " + where}, "entries", "123", 0},
		{"a row added", []string{"INSERT INTO entries_all SELECT * REPLACE(toUInt64(offset + 1) AS offset, toUInt32(401) AS row) FROM (SELECT * FROM entries_all WHERE chunk = '" + row[0] + "' AND row = 123)"},
			[]string{"ALTER TABLE entries_all DELETE WHERE row = 401 SETTINGS mutations_sync = 2"}, "entries", "", 1},
		{"rows of a chunk of its own", []string{"INSERT INTO entries_all SELECT * REPLACE('lines.v1-0-0-ffffffff' AS chunk) FROM (SELECT * FROM entries_all WHERE chunk = '" + row[0] + "' AND row = 123)"},
			[]string{"ALTER TABLE entries_all DELETE WHERE chunk = 'lines.v1-0-0-ffffffff' SETTINGS mutations_sync = 2"}, "lines.v1-0-0-ffffffff", "", 1},
		{"a chunk hidden", []string{"INSERT INTO superseded SELECT '" + row[0] + "', 1, now64(3)"},
			[]string{"ALTER TABLE superseded DELETE WHERE 1 SETTINGS mutations_sync = 2"}, "hidden", "", 1},
		{"a rejection removed", []string{"ALTER TABLE rejections_all DELETE WHERE 1 SETTINGS mutations_sync = 2"}, nil, "rejections", "", 1},
		{"a row removed", []string{"ALTER TABLE entries_all DELETE " + where}, nil, "entries", "123", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.t = t
			s.tamper(e, tc.do...)
			s.start("ledger", "auditor")
			v := s.verify()
			if v.OK || len(v.Faults) == 0 {
				t.Errorf("%+v, want a fault", v)
			}
			all := strings.Join(v.Faults, "\n")
			for _, want := range []string{tc.table, tc.row} {
				if !strings.Contains(all, want) {
					t.Errorf("%s\ndoes not name %s", all, want)
				}
			}
			// A changed and a removed row of one table of one chunk are two findings, the
			// same one found again is none.
			n := s.count("SELECT count() FROM findings WHERE control = 'GV-03' AND facts['reason'] = 'record-changed'")
			if n != raised+tc.fresh {
				t.Errorf("%d findings, want %d", n, raised+tc.fresh)
			}
			raised = n
			s.stop()
			if tc.undo == nil {
				return
			}
			s.tamper(e, tc.undo...)
			s.start("ledger", "auditor")
			if v := s.verify(); !v.OK {
				t.Errorf("put back: %v", v.Faults)
			}
			s.stop()
		})
	}
	s.t = t
}
