package source

import (
	"fmt"
	"strings"
)

// Way is a way in, by the name of its section in tallystick.yaml.
type Way string

// The values of Way.
const (
	WayFile   Way = "file"
	WaySyslog Way = "syslog"
	WayHTTP   Way = "http"
	WayStdin  Way = "stdin"
	WayKafka  Way = "kafka"
	WayALS    Way = "als"
	WayOTLP   Way = "otlp"
)

// MaxLine is how much of a line is kept, bytes, whatever way it comes. The
// true length of a longer one is kept beside it, and it becomes a rejection.
const MaxLine = 64 << 10

// way is a section of a source as it is checked.
type way interface {
	// validate fills in defaults and reports the first fault, with the path of
	// the value in the source.
	validate() error
	// paths are the files that the section names.
	paths() []*string
}

// sections are the sections that are there.
func (c *Config) sections() (names []Way, ways []way) {
	add := func(n Way, there bool, w way) {
		if there {
			names, ways = append(names, n), append(ways, w)
		}
	}
	add(WayFile, c.File != "", filePath{&c.File})
	add(WaySyslog, c.Syslog != nil, c.Syslog)
	add(WayHTTP, c.HTTP != nil, c.HTTP)
	add(WayStdin, c.Stdin, filePath{})
	add(WayKafka, c.Kafka != nil, c.Kafka)
	add(WayALS, c.ALS != nil, c.ALS)
	add(WayOTLP, c.OTLP != nil, c.OTLP)
	return names, ways
}

// filePath is the way in of a file, or of standard input if there is none.
type filePath struct{ path *string }

func (filePath) validate() error { return nil }

func (f filePath) paths() []*string {
	if f.path == nil {
		return nil
	}
	return []*string{f.path}
}

// Way is the source's way in: "" for one that ingest made, which has none of
// its own.
func (c *Config) Way() Way {
	if names, _ := c.sections(); len(names) > 0 {
		return names[0]
	}
	return ""
}

// Pushed reports whether senders bring the lines: they can't be read again.
func (c *Config) Pushed() bool {
	switch c.Way() {
	case WaySyslog, WayHTTP, WayALS, WayOTLP:
		return true
	}
	return false
}

// Paths are all files that the source names, to be read or changed in place.
func (c *Config) Paths() []*string {
	var out []*string
	_, ways := c.sections()
	for _, w := range ways {
		out = append(out, w.paths()...)
	}
	return out
}

func (c *Config) validateWay() error {
	names, ways := c.sections()
	if len(names) > 1 {
		return fmt.Errorf("%s: stands beside %s; a source has one way in", names[1], names[0])
	}
	for _, w := range ways {
		if err := w.validate(); err != nil {
			return err
		}
	}
	switch {
	case c.WhenFull == "", c.WhenFull == Block, c.WhenFull == Spool:
	case c.WhenFull != Drop:
		return fmt.Errorf("when_full: %q is none of block, spool, drop", c.WhenFull)
	case c.HTTP != nil || c.OTLP != nil:
		return fmt.Errorf("when_full: drop is not for %s, whose senders are told to come again", names[0])
	}
	if c.SpoolBytes != 0 && c.SpoolBytes < MinSpool {
		return fmt.Errorf("spool_bytes: %d is less than %d", c.SpoolBytes, MinSpool)
	}
	return nil
}

// WhenFull says what becomes of lines that Kafka does not take.
type WhenFull string

// The values of WhenFull.
const (
	Block WhenFull = "block" // they wait where they are
	Spool WhenFull = "spool" // sealed, they wait on disk
	Drop  WhenFull = "drop"  // they are lost and counted
)

// The sizes of a spool in bytes.
const (
	MinSpool     = 16 << 20
	DefaultSpool = 1 << 30
)

// Full is what becomes of lines that Kafka does not take, with the default
// applied.
func (c *Config) Full() WhenFull {
	switch {
	case c.WhenFull != "":
		return c.WhenFull
	case c.Pushed():
		return Spool
	}
	return Block
}

// SpoolLimit is how many bytes the source may spool, with the default applied.
func (c *Config) SpoolLimit() int64 {
	if c.SpoolBytes == 0 {
		return DefaultSpool
	}
	return int64(c.SpoolBytes)
}

// fault is an error at the path of a value in the source.
func fault(at, format string, args ...any) error {
	return fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...))
}

// under puts path before the path that a fault begins with.
func under(path string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), path) {
		return err
	}
	return fmt.Errorf("%s.%w", path, err)
}
