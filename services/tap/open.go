package tap

import (
	"fmt"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/masking/seal"
)

// open makes the lane of a source.
func (t *Tap) open(s *source.Config, m *metrics) error {
	l := &lane{tap: t, source: s.Name, metrics: m, chains: map[string]*chain{}}
	reader, err := t.reader(s, l)
	if err != nil {
		return err
	}
	l.reader = reader
	t.lanes = append(t.lanes, l)
	return nil
}

// reader opens the way in that the source's section names. An ingest reads its
// own files with the settings of whatever source.
func (t *Tap) reader(s *source.Config, l *lane) (source.Reader, error) {
	if len(t.cfg.Files) > 0 {
		return t.files(s, l, t.cfg.Files)
	}
	switch way := s.Way(); way {
	case source.WayFile:
		return t.files(s, l, []string{s.File})
	default:
		return nil, fmt.Errorf("there is no reader for %q", way)
	}
}

func (t *Tap) files(s *source.Config, l *lane, patterns []string) (source.Reader, error) {
	cfg := file.Config{
		Source: s.Name, Patterns: patterns, Host: t.cfg.Host, Once: t.cfg.Once, Again: t.cfg.Once, FromEnd: s.From == "end",
		As: t.cfg.Stream, New: t.cfg.New, BatchBytes: seal.TargetRaw,
	}
	if t.cfg.Tune != nil {
		t.cfg.Tune(&cfg)
	}
	return file.Open(cfg, file.Deps{
		State: t.deps.State, Logger: t.deps.Logger, Clock: t.deps.Clock, Gap: l.gap,
		Name: func(host, path string, first []byte) string {
			return seal.StreamName(t.deps.Site, host, path, string(first))
		},
	})
}

// readerDeps are what a Reader gets of the tap. Streams are named under the
// host, so that the same source on two machines has two.
func (l *lane) readerDeps() source.Deps {
	t := l.tap
	return source.Deps{
		Name: func(parts ...string) string {
			return seal.StreamName(t.deps.Site, append([]string{t.cfg.Host}, parts...)...)
		},
		Logger: t.deps.Logger, Clock: t.deps.Clock, Gap: l.gap,
		Count: func(outcome string, n int) { l.metrics.outcomes.WithLabelValues(l.source, outcome).Add(float64(n)) },
	}
}
