package services_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/services"
)

// TestForgedLines: lines in which a client's names look like records are no
// evidence that anything was allowed, and findings.
func TestForgedLines(t *testing.T) {
	s := newSite(t)
	sample, err := os.ReadFile("../audit/parse/testdata/kafka/forged.log")
	if err != nil {
		t.Fatal(err)
	}
	path := s.write("kafka-authorizer.log", string(sample))
	s.cfg.Masking.Detectors = s.write("detectors.yaml", staffNumbers)
	s.start("ledger", "auditor")
	s.ingest(services.IngestRequest{Files: []string{path}, Format: "kafka:authorizer"})
	if d := cmp.Diff(s.rows(`SELECT toString(countIf(outcome = 'allowed')), toString(countIf(principal_verified)), toString(count() > 3) FROM entries WHERE integrity = 'ambiguous'`),
		[][]string{{"0", "0", "1"}}); d != "" {
		t.Errorf("allowed, verified and number of ambiguous lines (-got +want):\n%s", d)
	}
	if d := cmp.Diff(s.rows(`SELECT DISTINCT control, kind, severity FROM findings WHERE control != 'GP-01' AND control != 'GP-02'`),
		[][]string{{"GV-05", "violation", "high"}}); d != "" {
		t.Errorf("findings (-got +want):\n%s", d)
	}
	if d := cmp.Diff(s.rows(`SELECT toString(count()) FROM findings WHERE control = 'GV-05'`), s.rows(`SELECT toString(count()) FROM entries WHERE integrity = 'ambiguous'`)); d != "" {
		t.Errorf("findings and lines (-got +want):\n%s", d)
	}
	t.Run("own detectors", s.ownDetectors)
}
