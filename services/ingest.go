package services

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services/tap"
)

// Ingest implements Operations: a tap of its own reads the files once, and the
// act ends when the auditor has committed the last line.
func (a *App) Ingest(ctx context.Context, r IngestRequest, progress func(Progress)) (*IngestSummary, error) {
	if err := a.registers.Record(ctx, actorOf(ctx), "ingest", ingestDetail(r), true, ""); err != nil {
		return nil, err
	}
	if a.auditor == nil {
		return nil, &text.Hint{Err: errors.New("no auditor runs in this process"), Hint: "run ingest where the auditor runs"}
	}
	began := time.Now()
	if r.Input != nil {
		in, err := Unpacked(r.Input)
		if err != nil {
			return nil, fmt.Errorf("failed to decompress standard input: %w", err)
		}
		r.Input = bufio.NewReaderSize(in, sampleBytes)
	}
	src, err := a.ingestSource(r)
	if err != nil {
		return nil, err
	}
	deps, err := a.tapDeps()
	if err != nil {
		return nil, err
	}
	var sent uint64
	t, err := tap.New(tap.Config{
		Sources: []source.Config{src}, Host: hostname(), Once: true, Files: r.Files, Stdin: r.Input, Stream: r.Stream, New: r.New,
		Progress: func(p tap.Progress) {
			sent = p.Lines
			progress(Progress{Done: uint64(p.Done), Total: uint64(p.Total), Lines: p.Lines})
		},
	}, deps)
	if errors.Is(err, file.ErrKnownElsewhere) {
		return nil, &text.Hint{Err: err, Hint: "--stream NAME if the file has moved, or --new if it is another log that begins alike"}
	}
	if err != nil {
		return nil, err
	}
	read, stop := a.auditor.Watch(t.Boot())
	defer stop()
	if err := t.Run(ctx); err != nil {
		return nil, err
	}
	for {
		tally, changed := read()
		if tally.Lines >= sent {
			return &IngestSummary{Lines: tally.Lines, Entries: tally.Entries, Rejections: tally.Rejections, Duplicates: tally.Duplicates,
				Findings: tally.Findings, Seconds: time.Since(began).Seconds()}, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// ingestDetail is what the trail says of an ingest.
func ingestDetail(r IngestRequest) string {
	if r.Input != nil {
		return "standard input"
	}
	return fmt.Sprintf("%d files", len(r.Files))
}

// ingestSource is the configured source that the request names or whose file
// is given, or one made for the format.
func (a *App) ingestSource(r IngestRequest) (source.Config, error) {
	if r.Source != "" {
		if c, ok := a.sources.all()[r.Source]; ok {
			return c, nil
		}
		return source.Config{}, &text.Hint{Err: fmt.Errorf("source %q is not configured", r.Source), Hint: "see sources in tallystick.yaml"}
	}
	if c, ok := a.sources.covering(r.Files); ok && r.Input == nil && (r.Format == "auto" || r.Format == c.Format) {
		return c, nil
	}
	format := r.Format
	if format == "auto" {
		g, err := recogniseFirst(r)
		if err != nil {
			return source.Config{}, err
		}
		format = g.Format
	}
	if _, err := parse.ByName(format); err != nil {
		return source.Config{}, &text.Hint{Err: err, Hint: "one of " + strings.Join(parse.Names(), ", ") + ", or auto"}
	}
	c, added, err := a.sources.make(format, a.datamap)
	if err != nil || !added {
		return c, err
	}
	return c, a.buildStages()
}

// sampleBytes is how much of an input is looked at for its format.
const sampleBytes = 256 << 10

// recogniseFirst recognises the first file, or what has come of the input.
func recogniseFirst(r IngestRequest) (parse.Guess, error) {
	in, ok := r.Input.(*bufio.Reader)
	if !ok {
		return Recognise(r.Files[0])
	}
	_, _ = in.Peek(1)
	head, _ := in.Peek(in.Buffered())
	return recognise("standard input", sampleOf(bytes.NewReader(head), 200))
}

// Recognise reads the first lines of a file and returns their likeliest format.
func Recognise(path string) (parse.Guess, error) {
	sample, err := Sample(path, 200)
	if err != nil {
		return parse.Guess{}, err
	}
	return recognise(path, sample)
}

func recognise(path string, sample [][]byte) (parse.Guess, error) {
	guesses := parse.Recognise(sample)
	if len(guesses) == 0 || guesses[0].Share <= 0.5 {
		return parse.Guess{}, &text.Hint{Err: fmt.Errorf("%s: no known format fits its first %d lines", path, len(sample)),
			Hint: "--format with one of " + strings.Join(parse.Names(), ", ") + ", or your server's own format string: " + strings.Join(parse.FormatStrings(), ", ")}
	}
	return guesses[0], nil
}

// OpenLog opens a log, which may be compressed by gzip.
func OpenLog(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &text.Hint{Err: fmt.Errorf("failed to read %s: %w", path, errors.Unwrap(err)), Hint: "check the path and its mode with ls -l " + path}
	}
	r, err := Unpacked(f)
	if err != nil {
		_ = f.Close()
		return nil, &text.Hint{Err: fmt.Errorf("failed to decompress %s: %w", path, err), Hint: "gzip -t shows whether the file is whole"}
	}
	return struct {
		io.Reader
		io.Closer
	}{r, f}, nil
}

// Unpacked decompresses what begins as gzip does; all else stays as it is.
func Unpacked(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	magic, err := in.Peek(2)
	if err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return in, nil // what can't be read is told by the first Read
	}
	return gzip.NewReader(in)
}

// Sample returns up to n of the first lines of a file, plain or .gz.
func Sample(path string, n int) ([][]byte, error) {
	r, err := OpenLog(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return sampleOf(r, n), nil
}

func sampleOf(r io.Reader, n int) [][]byte {
	var out [][]byte
	in := bufio.NewReaderSize(io.LimitReader(r, 16<<20), 64<<10)
	for len(out) < n {
		line, err := in.ReadBytes('\n')
		if line = []byte(strings.TrimRight(string(line), "\r\n")); len(line) > 0 && len(line) <= file.DefaultMaxLine {
			out = append(out, line)
		}
		if err != nil {
			break
		}
	}
	return out
}
