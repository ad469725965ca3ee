package services

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/enrich"
	"github.com/tallystick/tallystick/audit/pipeline"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/masking"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plain"
)

// Inspector runs the stages over lines without storing anything, under keys
// that end with it: what `parse` and `init` look through.
type Inspector struct {
	pipeline *pipeline.Pipeline
	batch    audit.Batch
	source   string
	offset   uint64
	closers  []func() error
}

// NewInspector makes an inspector of one source with the configuration's data
// map. Close removes its keys.
func NewInspector(ctx context.Context, c *Config, src source.Config) (_ *Inspector, err error) {
	i := &Inspector{source: src.Name}
	defer func() {
		if err != nil {
			_ = i.Close()
		}
	}()
	dir, err := os.MkdirTemp("", "tallystick-inspect-*")
	if err != nil {
		return nil, err
	}
	i.closers = append(i.closers, func() error { return os.RemoveAll(dir) })
	kek, err := keys.LocalKEK(filepath.Join(dir, "kek"))
	if err != nil {
		return nil, err
	}
	reg, err := registers.Open(ctx, filepath.Join(dir, "registers.db"))
	if err != nil {
		return nil, err
	}
	i.closers = append(i.closers, reg.Close)
	m, err := loadDataMap(c.DataMap)
	if err != nil {
		return nil, err
	}
	country, err := enrich.OpenCountry(countryTable(c))
	if err == nil {
		i.closers = append(i.closers, country.Close)
	}
	none := stageFunc(func(context.Context, *audit.Batch) error { return nil })
	rules, err := loadRules(c.Masking.Detectors)
	if err != nil {
		return nil, err
	}
	i.pipeline, err = stageList(map[string]source.Config{src.Name: src}, m, country, rules,
		masking.NewEngine(masking.DefaultPolicy(), keys.NewDayKeys(reg, kek, c.Keys.Horizon)), none)
	return i, err
}

type stageFunc func(context.Context, *audit.Batch) error

func (f stageFunc) Process(ctx context.Context, b *audit.Batch) error { return f(ctx, b) }

// Close removes the inspector's keys.
func (i *Inspector) Close() error {
	var errs []error
	for n := len(i.closers) - 1; n >= 0; n-- {
		errs = append(errs, i.closers[n]())
	}
	i.closers = nil
	return errors.Join(errs...)
}

// inspectBlock is how many lines go through the stages at once.
const inspectBlock = 1024

// Each reads lines from r and calls f with each batch that the stages are
// through with and the 1-based number of its first line.
func (i *Inspector) Each(ctx context.Context, r io.Reader, f func(first int, b *audit.Batch) error) error {
	in := bufio.NewReaderSize(r, 256<<10)
	b := &i.batch
	for first := 1; ; first += len(b.Lines) {
		b.Source, b.Received, b.Lines = i.source, time.Now().UTC(), b.Lines[:0]
		var err error
		for len(b.Lines) < inspectBlock && err == nil {
			var line string
			var length int
			if line, length, err = readLine(in); err == nil || length > 0 {
				b.Lines = append(b.Lines, audit.Line{Origin: audit.Origin{Stream: "inspect", Offset: i.offset}, Text: plain.New(line), Length: length})
				i.offset += uint64(length) + 1
			}
		}
		if len(b.Lines) > 0 {
			if perr := i.pipeline.Process(ctx, b); perr != nil {
				return perr
			}
			if ferr := f(first, b); ferr != nil {
				return ferr
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("failed to read the lines: %w", err)
		}
	}
}

// readLine returns a line without its end, cut at the limit, and its true
// length. It holds no more than the limit in memory.
func readLine(in *bufio.Reader) (string, int, error) {
	var kept []byte
	length := 0
	for {
		part, err := in.ReadSlice('\n')
		length += len(part)
		if room := file.DefaultMaxLine - len(kept); room > 0 {
			kept = append(kept, part[:min(room, len(part))]...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err == nil {
			length--
			if n := len(kept); n > 0 && kept[n-1] == '\n' {
				kept = kept[:n-1]
			}
			if n := len(kept); n == length && n > 0 && kept[n-1] == '\r' {
				kept, length = kept[:n-1], length-1
			}
		}
		return string(kept), length, err
	}
}
