// Package tap carries lines from the sources to Kafka: read, number, seal,
// sign, produce, and only then acknowledge to the source.
//
// Files and topics are their own spool: while Kafka is away, or the auditor is
// behind, reading waits and nothing is lost. What senders bring is sealed and
// spooled meanwhile. The tap parses nothing and keeps nothing clear. Package services runs one Tap that follows all sources, and
// one for each ingest, which ends at the end of its files.
package tap

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/seal"
)

// Config says what is tapped.
type Config struct {
	// Sources are those of tallystick.yaml. Names are unique.
	Sources []source.Config
	// Host is part of the name of each stream: the same file on two machines
	// is two streams. Required.
	Host string
	// Once reads the files to their end; Run then returns. Otherwise they are
	// followed until ctx ends.
	Once bool
	// Files are read instead of the File of the single source. Once only.
	Files []string
	// Stdin is read by the source that names it; with Once and without Files,
	// by the single source. Optional.
	Stdin io.Reader
	// Stream is the path under which a single file's stream is named instead
	// of its own. Once only.
	Stream string
	// New takes files although their first lines are known under other paths.
	// Once only.
	New bool
	// Progress is told, after each batch that is durable, how far all files
	// are. Optional; called by one goroutine at a time.
	Progress func(Progress)
	// Retry is the first wait after Kafka failed; it doubles up to 100 times
	// that. Default 100 ms.
	Retry time.Duration
	// Tune changes how files are read. Optional; for tests.
	Tune func(*file.Config)
}

// Progress is how far all files are.
type Progress struct {
	Done, Total int64 // bytes on disk
	Lines       uint64
}

// Sealer makes one sealed, signed message of the lines of one stream.
// seal.ErrTooLarge asks for fewer lines. *seal.Sealer is one.
type Sealer interface {
	Seal(h seal.Header, lines []audit.Line) (msg []byte, head [32]byte, err error)
}

// Producer returns when all messages are durable, in the order given.
// *broker.Client is one.
type Producer interface {
	Produce(ctx context.Context, topic string, msgs ...broker.Message) error
}

// Gate holds reading back while too much of lines.v1 is unread. Wait returns
// at once when there is room.
type Gate interface {
	Wait(ctx context.Context) error
}

// Deps are what a Tap needs of others.
type Deps struct {
	Sealer   Sealer
	Producer Producer
	Site     *keys.PRF // names the streams
	State    *file.State
	// Spool is the folder of the sources' spools. Required where one spools.
	Spool string
	// Durable says behind which offset the record has the lines of a stream of
	// an earlier start, and whether that is final. Optional.
	Durable func(ctx context.Context, stream string) (until uint64, final bool, err error)
	Gate    Gate // optional
	Logger  *slog.Logger
	Metrics prometheus.Registerer // optional
	// Gap is told of lines that are lost, or may be. Optional; it may be
	// called by several goroutines.
	Gap func(source.Gap)
	// Clock is time.Now if nil.
	Clock func() time.Time
}

// Tap reads all sources, each in its own goroutine.
type Tap struct {
	cfg   Config
	deps  Deps
	boot  string
	lanes []*lane

	progress sync.Mutex // one call of Progress at a time
}

// New opens the sources and starts nothing. With Once it fails when a file
// can't be read or is known under another path (file.ErrKnownElsewhere).
func New(cfg Config, deps Deps) (*Tap, error) {
	if deps.Sealer == nil || deps.Producer == nil || deps.Site == nil || deps.State == nil || cfg.Host == "" {
		return nil, errors.New("tap needs a host, a sealer, a producer, the site key and a state")
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.Clock == nil {
		deps.Clock = time.Now
	}
	if cfg.Retry <= 0 {
		cfg.Retry = 100 * time.Millisecond
	}
	t := &Tap{cfg: cfg, deps: deps, boot: newBoot()}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, fmt.Errorf("failed to register metrics: %w", err)
	}
	for i := range cfg.Sources {
		if err := t.open(&cfg.Sources[i], m); err != nil {
			t.close()
			return nil, fmt.Errorf("source %s: %w", cfg.Sources[i].Name, err)
		}
	}
	t.warnOfOrphans()
	return t, nil
}

// warnOfOrphans tells of spools whose source is not configured any more.
func (t *Tap) warnOfOrphans() {
	if t.deps.Spool == "" || t.cfg.Once {
		return
	}
	dirs, err := os.ReadDir(t.deps.Spool)
	if err != nil {
		return // none was made yet
	}
	for _, d := range dirs {
		known := slices.ContainsFunc(t.cfg.Sources, func(s source.Config) bool { return s.Name == d.Name() })
		if left, _ := fs.Glob(os.DirFS(filepath.Join(t.deps.Spool, d.Name())), "*.spool"); d.IsDir() && !known && len(left) > 0 {
			t.deps.Logger.Warn("batches wait in the spool of a source that is not configured any more", "source", d.Name(),
				"hint", "configure it again until its spool is empty")
		}
	}
}

// newBoot is a random id of this start: sequences begin anew with it.
func newBoot() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Boot is the id of this start, as in the headers of its batches.
func (t *Tap) Boot() string { return t.boot }

// Run reads until ctx ends and returns nil then. With Once it reads until all
// files are read and their lines are durable, and returns ctx's error when ctx
// ends before that: the rest is read next time. A Tap runs once.
func (t *Tap) Run(ctx context.Context) error {
	defer t.close()
	var wg sync.WaitGroup
	errs := make([]error, len(t.lanes))
	for i, l := range t.lanes {
		wg.Go(func() { errs[i] = l.run(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (t *Tap) close() {
	for _, l := range t.lanes {
		if l.drops != nil {
			l.drops.losses.Tell()
		}
		if err := l.reader.Close(); err != nil {
			t.deps.Logger.Error("positions were not saved: the last lines are read again at the next start, and count once", "source", l.source, "error", err)
		}
		if l.running != "" && l.ended {
			_ = os.Remove(l.running)
		}
		if l.spool == nil {
			continue
		}
		if err := l.spool.Close(); err != nil {
			t.deps.Logger.Error("a spool was not closed well; what is in it comes at the next start", "source", l.source, "error", err)
		}
	}
}

// report calls Progress with the sums over all sources.
func (t *Tap) report() {
	if t.cfg.Progress == nil {
		return
	}
	t.progress.Lock()
	defer t.progress.Unlock()
	var p Progress
	for _, l := range t.lanes {
		s := l.reader.Status()
		p.Done, p.Total, p.Lines = p.Done+s.Done, p.Total+s.Total, p.Lines+l.lines.Load()
	}
	t.cfg.Progress(p)
}
