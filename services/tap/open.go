package tap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/audit/source/http"
	"github.com/tallystick/tallystick/audit/source/otlp"
	"github.com/tallystick/tallystick/audit/source/push"
	"github.com/tallystick/tallystick/audit/source/stdin"
	"github.com/tallystick/tallystick/audit/source/syslog"
	"github.com/tallystick/tallystick/masking/seal"
	"github.com/tallystick/tallystick/services/tap/spool"
)

// open makes the lane of a source.
func (t *Tap) open(s *source.Config, m *metrics) error {
	l := &lane{tap: t, source: s.Name, metrics: m, full: s.Full(), pushed: s.Pushed() || s.Stdin && !t.cfg.Once}
	l.boot.Store(&t.boot)
	if t.cfg.Once {
		l.full = source.Block // who waits for the end waits for Kafka
	}
	if l.full == source.Drop {
		l.drops = &dropping{losses: push.NewLosses(l.gap)}
	}
	if err := l.openSpool(s); err != nil {
		return err
	}
	reader, err := t.reader(s, l)
	if err != nil {
		if l.spool != nil {
			_ = l.spool.Close()
		}
		return err
	}
	l.reader = reader
	t.lanes = append(t.lanes, l)
	return l.mark(s)
}

// mark leaves a file for as long as lines that nobody can send again may be in
// memory. If it is still there at the start, the last one did not end well and
// such lines may be lost; how many nobody knows, unless the Reader compares what
// came with what was sent.
func (l *lane) mark(s *source.Config) error {
	t := l.tap
	switch s.Way() {
	case source.WaySyslog, source.WayALS, source.WayStdin:
	default:
		return nil // files and topics are read again, and others wait for an answer
	}
	if t.deps.Spool == "" || t.cfg.Once {
		return nil
	}
	path := filepath.Join(t.deps.Spool, s.Name+".running")
	if _, err := os.Stat(path); err == nil && !compared(l.reader) {
		l.gap(source.Gap{Kind: source.GapMissing, Source: s.Name, Stream: t.boot, Seen: t.deps.Clock().UTC()})
	}
	err := os.MkdirAll(t.deps.Spool, 0o700)
	if err == nil {
		err = os.WriteFile(path, nil, 0o600)
	}
	if err != nil {
		return fmt.Errorf("failed to mark a source as running: %w", err)
	}
	l.running = path
	return nil
}

// compared reports whether a Reader finds out by itself how many lines an
// earlier start lost.
func compared(r source.Reader) bool {
	c, ok := r.(interface{ Compared() bool })
	return ok && c.Compared()
}

// openSpool opens the spool of a source that has one, or that had one and left
// batches in it.
func (l *lane) openSpool(s *source.Config) error {
	t := l.tap
	if t.deps.Spool == "" || t.cfg.Once {
		if l.full == source.Spool {
			return errors.New("a source that spools needs a folder for it")
		}
		return nil
	}
	dir := filepath.Join(t.deps.Spool, s.Name)
	if _, err := os.Stat(dir); l.full != source.Spool && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	sp, lost, err := spool.Open(dir, s.SpoolLimit())
	if err != nil {
		return err
	}
	l.spool = sp
	if lost > 0 {
		l.gap(source.Gap{Kind: source.GapCorrupt, Source: s.Name, Stream: t.boot, Lost: uint64(lost), Seen: t.deps.Clock().UTC()})
	}
	return nil
}

// reader opens the way in that the source's section names. An ingest reads its
// own files with the settings of whatever source.
func (t *Tap) reader(s *source.Config, l *lane) (source.Reader, error) {
	switch {
	case len(t.cfg.Files) > 0:
		return t.files(s, l, t.cfg.Files)
	case t.cfg.Once && t.cfg.Stdin != nil:
		return opened(stdin.Open(s.Name, t.cfg.Stdin, l.readerDeps()))
	}
	switch way := s.Way(); way {
	case source.WayFile:
		return t.files(s, l, []string{s.File})
	case source.WayStdin:
		return opened(stdin.Open(s.Name, t.cfg.Stdin, l.readerDeps()))
	case source.WaySyslog:
		return opened(syslog.Open(s.Name, *s.Syslog, l.readerDeps()))
	case source.WayHTTP:
		return opened(http.Open(s.Name, *s.HTTP, l.readerDeps()))
	case source.WayKafka:
		return opened(t.topic(s, l))
	case source.WayALS:
		return opened(t.als(s, l))
	case source.WayOTLP:
		return opened(otlp.Open(s.Name, *s.OTLP, l.readerDeps()))
	default:
		return nil, fmt.Errorf("there is no reader for %q", way)
	}
}

// opened keeps a nil pointer from becoming a Reader that is not nil.
func opened[R source.Reader](r R, err error) (source.Reader, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
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
	var outcomes sync.Map // of prometheus.Counter by outcome
	return source.Deps{
		Name: func(parts ...string) string {
			return seal.StreamName(t.deps.Site, append([]string{t.cfg.Host}, parts...)...)
		},
		Logger: t.deps.Logger, Clock: t.deps.Clock, Gap: l.gap,
		Count: func(outcome string, n int) {
			c, ok := outcomes.Load(outcome)
			if !ok {
				c, _ = outcomes.LoadOrStore(outcome, l.metrics.outcomes.WithLabelValues(l.source, outcome))
			}
			c.(prometheus.Counter).Add(float64(n))
		},
	}
}
