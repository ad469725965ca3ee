package services

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/tallystick/tallystick/audit/classify"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/audit/enrich"
	"github.com/tallystick/tallystick/audit/normalize"
	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/audit/pipeline"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking"
	"github.com/tallystick/tallystick/masking/detect"
)

// stages is the pipeline in use. Replacing it takes effect with the next chunk.
type stages struct {
	current  atomic.Pointer[inUse]
	rules    atomic.Pointer[detect.Rules] // nil: none
	building sync.Mutex                   // held while current is replaced
	control  *control.Stage
	country  *enrich.Country
	policy   *masking.Policy
}

// inUse is a pipeline and what of its versions it decides.
type inUse struct {
	pipeline *pipeline.Pipeline
	policy   string
}

// policyVersion names the masking policy and the rules of detectors.
func policyVersion(rules *detect.Rules) string {
	id := masking.DefaultPolicy().ID()
	if rules != nil {
		id += "+" + rules.ID()
	}
	return id
}

func (a *App) openStages(ctx context.Context) error {
	if !a.has("auditor") {
		return nil
	}
	seen, err := a.store.GapIDs(ctx)
	if err != nil {
		return err
	}
	s := &stages{control: control.NewStage(a.controls, seen), policy: masking.DefaultPolicy()}
	if s.country, err = enrich.OpenCountry(countryTable(a.cfg)); err != nil {
		a.log.Warn("countries of addresses stay unknown", "error", err, "hint", text.HintOf(err))
	} else {
		a.onStop("country table", s.country.Close)
	}
	if err := a.loadDetectors(s); err != nil {
		return err
	}
	a.stages = s
	if err := a.openTombstones(); err != nil {
		return err
	}
	return a.buildStages()
}

// buildStages makes the stage list for the sources of now.
func (a *App) buildStages() error {
	a.stages.building.Lock()
	defer a.stages.building.Unlock()
	rules := a.stages.rules.Load()
	p, err := stageList(a.sources.all(), a.datamap, a.stages.country, rules, a.maskStage(), a.stages.control)
	if err != nil {
		return err
	}
	a.stages.current.Store(&inUse{p, policyVersion(rules)})
	return nil
}

// maskStage writes links, and keeps originals only where they can be sealed.
func (a *App) maskStage() pipeline.Stage {
	g := masking.NewEngine(a.stages.policy, a.dayKeys)
	if a.vault != nil {
		g.KeepOriginals()
	}
	g.Link(masking.Linking{Keys: a.linkKeys, Linked: a.erasing.linked, Erased: a.erasing.tombstones})
	return g
}

// stageList is the way of a line from raw to judged, in order.
func stageList(sources map[string]source.Config, m *datamap.Map, country *enrich.Country, rules *detect.Rules, mask, judge pipeline.Stage) (*pipeline.Pipeline, error) {
	parser, err := parse.New(sources)
	if err != nil {
		return nil, err
	}
	enricher, err := enrich.New(m, sources, country)
	if err != nil {
		return nil, err
	}
	return pipeline.New(
		pipeline.Named{Name: "parse", Stage: parser},
		pipeline.Named{Name: "normalize", Stage: normalize.New(sources)},
		pipeline.Named{Name: "enrich", Stage: enricher},
		pipeline.Named{Name: "classify", Stage: classify.New(rules)},
		pipeline.Named{Name: "mask", Stage: mask},
		pipeline.Named{Name: "control", Stage: judge},
	), nil
}

// countryRelease is the table that scripts/fetch.sh fetches.
const countryRelease = "2.3.2026061719"

// countryTable is the configured table, or the one in the user's cache.
func countryTable(c *Config) string {
	if c.CountryTable != "" {
		return c.CountryTable
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "tallystick", "country-"+countryRelease, "geo-whois-asn-country.mmdb")
}
