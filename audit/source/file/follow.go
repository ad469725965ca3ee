package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/text"
)

// ErrKnownElsewhere says that a file's first line is known under another path:
// its lines may have been counted already.
var ErrKnownElsewhere = errors.New("its first line is known under another path")

// openOnce opens all files of a one-shot read.
func (t *Tailer) openOnce() error {
	var list []present
	for _, p := range t.cfg.Patterns {
		if _, err := filepath.Match(p, ""); err != nil {
			return fmt.Errorf("failed to read pattern %q: %w", p, err)
		}
		paths := expand(p)
		if len(paths) == 0 {
			return &text.Hint{Err: fmt.Errorf("no file matches %s", p), Hint: "check the pattern, and quote it so that the shell leaves it alone"}
		}
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil {
				return unreadable(path, err)
			}
			list = append(list, present{path: path, info: info})
		}
	}
	if t.cfg.As != "" && len(list) > 1 {
		return errors.New("a stream's name can be given for one file at a time only")
	}
	now := t.deps.Clock()
	for _, p := range list {
		if err := t.checkKnown(p.path); err != nil {
			return err
		}
		if err := t.discover(p, now); err != nil {
			return err
		}
		if t.seen[p.path].broken != nil {
			return &text.Hint{Err: fmt.Errorf("failed to read %s: its compressed data is damaged", p.path), Hint: "gzip -t shows whether the file is whole"}
		}
		t.total.Add(p.info.Size())
	}
	t.open.Store(int64(len(t.files)))
	return nil
}

// checkKnown stops a one-shot read of lines that seem to be known.
func (t *Tailer) checkKnown(path string) error {
	if t.cfg.New {
		return nil
	}
	f, err := openTracked(t, path)
	if err != nil {
		return err
	}
	defer func() { _ = f.file.Close() }()
	head, ok, err := f.firstLine(true)
	if err != nil || !ok || !t.deps.State.KnownElsewhere(t.cfg.Host, t.named(f), head) {
		return nil // what can't be read is reported by discover
	}
	return &text.Hint{
		Err:  fmt.Errorf("%s was not read: %w", path, ErrKnownElsewhere),
		Hint: "--stream PATH if it is the log that was at PATH, so that lines count once; --new if it is another log",
	}
}

// readAny returns the next Run of any file: rotated files first, oldest first,
// then the live ones in turn.
func (t *Tailer) readAny(now time.Time) (*source.Run, error) {
	for _, f := range t.order() {
		run, err := t.readFile(f, now)
		if err != nil || run != nil {
			return run, err
		}
	}
	return nil, nil
}

func (t *Tailer) order() []*tracked {
	list := make([]*tracked, 0, len(t.files))
	for _, f := range t.files {
		list = append(list, f)
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if oa, ob := a.rotated || a.gone, b.rotated || b.gone; oa != ob {
			return oa
		}
		if (a.rotated || a.gone) && !a.modified.Equal(b.modified) {
			return a.modified.Before(b.modified)
		}
		if a.rotated && b.rotated {
			return olderName(a.path, b.path)
		}
		return a.path < b.path
	})
	old := 0
	for old < len(list) && (list[old].rotated || list[old].gone) {
		old++
	}
	if live := list[old:]; len(live) > 1 && !t.cfg.Once {
		t.turn++
		k := t.turn % len(live)
		list = append(append(list[:old:old], live[k:]...), live[:k]...)
	}
	return list
}

func (t *Tailer) readFile(f *tracked, now time.Time) (*source.Run, error) {
	if f.cursor == nil && !t.name(f, now) || f.ended && (t.cfg.Once || f.cursor == nil) {
		return nil, nil
	}
	if err := t.deps.State.saveBegun(); err != nil {
		return nil, err
	}
	for !f.ended {
		run, more, err := f.read(t.cfg.Once, now)
		switch {
		case errors.Is(err, errTruncated) && !t.cfg.Once:
			t.truncated(f, now)
			return nil, nil
		case err != nil && run == nil:
			return nil, t.failed(f, err, now)
		}
		if run != nil {
			return run, nil
		}
		if !more {
			break
		}
	}
	if t.cfg.Once {
		return nil, nil
	}
	return t.retire(f, now), nil
}

// name gives an unnamed file its stream once it has a complete line.
func (t *Tailer) name(f *tracked, now time.Time) bool {
	size := f.size
	if err := f.stat(); err != nil {
		return false
	}
	if f.size != size {
		f.quiet = now
	}
	// A rotated file with nothing but a begun line: it counts as it is.
	over := (f.gone || f.rotated) && now.Sub(f.quiet) > 3*t.cfg.Grace
	if f.size == size && f.headAt == size && !over {
		return false
	}
	if f.size < f.headAt || !f.headHolds() {
		f.forget()
		_ = f.stat()
	}
	head, ok, err := f.firstLine(t.cfg.Once || over)
	if err != nil || !ok {
		if over {
			t.drop(f)
		}
		return false
	}
	look, _ := t.adopt(f, t.deps.Name(t.cfg.Host, t.named(f), head), head, sighting{id: f.id, size: f.size, modified: f.modified}, now)
	if f.cursor == nil { // a copy of a file that is read, or not to be told yet
		t.drop(f)
		t.seen[f.path] = look
		return false
	}
	return true
}

// truncated lets go of a stream whose file was cut, so that a copy which
// rotation made of it can continue, and begins the file anew.
func (t *Tailer) truncated(f *tracked, now time.Time) {
	c := f.cursor
	t.deps.State.finish(c, false)
	t.orphan(c, source.GapTruncated, now)
	f.forget()
	t.scan(now)
}

// failed closes a file that can't be read on; it is tried again when it
// changes.
func (t *Tailer) failed(f *tracked, err error, now time.Time) error {
	path, look, c := f.path, sighting{id: f.id, size: f.size, modified: f.modified}, f.cursor
	if f.packed {
		look.broken = c
	} else {
		look.retry = true
		t.report([]source.Problem{{Path: path, Err: unreadable(path, err)}})
	}
	t.drop(f)
	t.seen[path] = look
	if t.cfg.Once {
		t.gap(source.Gap{Kind: source.GapCorrupt, Stream: c.Stream, Generation: c.Generation, Offset: c.place()}, now)
		return &text.Hint{Err: fmt.Errorf("failed to read %s to its end: %w", path, bare(err)), Hint: "the lines before that place were read; repair the file and give it again: lines count once"}
	}
	return nil
}

// corrupt reports compressed data that stays unreadable.
func (t *Tailer) corrupt(path string, s sighting, now time.Time) {
	c := s.broken
	s.broken = nil
	t.seen[path] = s
	if c != noStream {
		t.deps.State.finish(c, true)
	}
	t.deps.Logger.Error("compressed data can't be read to its end", "source", t.cfg.Source, "file", path, "hint", "gzip -t shows whether the file is whole")
	t.gap(source.Gap{Kind: source.GapCorrupt, Stream: c.Stream, Generation: c.Generation, Offset: c.place()}, now)
}

// retire closes a rotated file that was read to its end and stays quiet. Its
// last line may have no end: after three times the grace it counts as it is.
func (t *Tailer) retire(f *tracked, now time.Time) *source.Run {
	if f.cursor == nil || !f.gone && !(f.rotated && t.newerThan(f)) {
		return nil
	}
	quiet := now.Sub(f.quiet)
	if partial := len(f.carry) > 0 || f.long != nil; partial {
		if quiet < 3*t.cfg.Grace {
			return nil
		}
		f.size = -1 // read again, though nothing changed
		run, _, err := f.read(true, now)
		if err == nil || f.packed {
			return run
		}
		return nil
	}
	if quiet >= t.cfg.Grace {
		path, look, gone := f.path, sighting{id: f.id, size: f.size, modified: f.modified}, f.gone
		t.deps.State.finish(f.cursor, true)
		f.cursor = nil
		t.drop(f)
		if !gone {
			t.seen[path] = look
		}
	}
	return nil
}

// newerThan reports whether a file of the same log is at least as new as f.
func (t *Tailer) newerThan(f *tracked) bool {
	for _, g := range t.files {
		if g != f && g.base == f.base && !g.modified.Before(f.modified) {
			return true
		}
	}
	for path, s := range t.seen {
		if BasePath(path) == f.base && !s.modified.Before(f.modified) {
			return true
		}
	}
	return false
}

func (t *Tailer) drop(f *tracked) {
	t.release(f)
	delete(t.files, f.id)
	t.open.Store(int64(len(t.files)))
}

func (t *Tailer) release(f *tracked) {
	if f.cursor != nil {
		t.deps.State.finish(f.cursor, false)
		f.cursor = nil
	}
	_ = f.file.Close()
}

// pause waits for d.
func (t *Tailer) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// wait waits until files may have changed: for a notification, or for the
// next look at the folders.
func (t *Tailer) wait(ctx context.Context) error {
	if t.watch == nil {
		t.watch = newWatcher(t.deps.Logger)
		list, _ := t.find()
		t.watch.follow(t.cfg.Patterns, list)
		return ctx.Err() // what changed before the watch began is looked at now
	}
	timer := time.NewTimer(t.cfg.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case event := <-t.watch.events():
		if t.watch.renames(event) {
			t.scanned = time.Time{} // look at the folders now
		}
	case <-t.watch.errors():
		t.scanned = time.Time{}
	}
	return nil
}
