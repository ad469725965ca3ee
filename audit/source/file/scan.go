package file

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/text"
)

// sighting is a file that is not open, and why not.
type sighting struct {
	id       fileID
	size     int64
	modified time.Time
	copyOf   *cursor // it waits for this stream's file to let go
	retry    bool    // look again each time
	broken   *cursor // its compressed data ended too soon; noStream if in its first line
}

// noStream stands for the stream of a file whose first line can't be read.
var noStream = &cursor{}

// present is a file as the last look found it.
type present struct {
	path    string
	info    fs.FileInfo
	sibling bool // not matched by a pattern, but a rotated file of one that is
}

// find lists the files of the patterns, then their rotated siblings, oldest
// first. A file that is renamed meanwhile is found under its later name.
func (t *Tailer) find() ([]present, []source.Problem) {
	var problems []source.Problem
	byID := map[fileID]present{}
	add := func(path string, sibling bool) {
		info, err := os.Stat(path)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				problems = append(problems, source.Problem{Path: path, Err: unreadable(path, err)})
			}
			return
		}
		if !info.Mode().IsRegular() {
			return
		}
		id := idOf(info)
		if had, ok := byID[id]; ok {
			sibling = had.sibling && sibling
		}
		byID[id] = present{path: path, info: info, sibling: sibling}
	}
	matched := map[string]bool{}
	for _, p := range t.cfg.Patterns {
		for _, path := range expand(p) {
			matched[path] = true
			add(path, false)
		}
	}
	for _, p := range t.cfg.Patterns {
		for _, path := range siblings(p) {
			if !matched[path] {
				add(path, true)
			}
		}
	}
	list := make([]present, 0, len(byID))
	for _, p := range byID {
		list = append(list, p)
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if ra, rb := isRotated(a.path), isRotated(b.path); ra != rb {
			return ra
		}
		if !a.info.ModTime().Equal(b.info.ModTime()) {
			return a.info.ModTime().Before(b.info.ModTime())
		}
		return olderName(a.path, b.path)
	})
	return list, problems
}

// expand lists the paths of a pattern; a path without wildcards stands for
// itself.
func expand(pattern string) []string {
	if !strings.ContainsAny(pattern, "*?[") {
		return []string{pattern}
	}
	paths, _ := filepath.Glob(pattern)
	return paths
}

// siblings lists the rotated files whose base path the pattern matches.
func siblings(pattern string) []string {
	stem := strings.TrimSuffix(pattern, filepath.Ext(pattern))
	if stem == "" || strings.HasSuffix(stem, "/") {
		stem = pattern
	}
	paths, _ := filepath.Glob(stem + "*")
	var out []string
	for _, p := range paths {
		if base := BasePath(p); base != p {
			if ok, _ := filepath.Match(pattern, base); ok {
				out = append(out, p)
			}
		}
	}
	return out
}

func isRotated(path string) bool { return BasePath(path) != path }

// scan looks at the folders: new files are opened, renamed ones followed.
func (t *Tailer) scan(now time.Time) {
	t.scanned = now
	list, problems := t.find()
	pending := map[string]bool{} // base paths with a file that can't be told yet
	current := map[string]bool{}
	for _, f := range t.files {
		f.gone = true
	}
	for _, p := range t.cfg.Patterns {
		t.know(BasePath(p))
	}
	for _, p := range list {
		t.know(BasePath(p.path))
	}
	for _, p := range list {
		current[p.path] = true
		if f := t.files[idOf(p.info)]; f != nil {
			f.path, f.rotated, f.gone = p.path, isRotated(p.path), false
			continue
		}
		if s, ok := t.seen[p.path]; ok && s.unchanged(p.info) && (s.copyOf == nil || !t.deps.State.free(s.copyOf)) {
			if s.broken != nil && now.Sub(s.modified) > t.cfg.Grace {
				t.corrupt(p.path, s, now)
			}
			continue
		}
		if err := t.discover(p, now); err != nil {
			problems = append(problems, source.Problem{Path: p.path, Err: err})
			pending[BasePath(p.path)] = true
		} else if t.seen[p.path].retry {
			pending[BasePath(p.path)] = true
		}
	}
	for path := range t.seen {
		if !current[path] {
			delete(t.seen, path)
		}
	}
	t.settle(pending, now)
	t.first = false
	t.open.Store(int64(len(t.files)))
	t.report(problems)
	t.measure()
	if t.watch != nil {
		t.watch.follow(t.cfg.Patterns, list)
	}
}

func (s sighting) unchanged(info fs.FileInfo) bool {
	return !s.retry && s.id == idOf(info) && s.size == info.Size() && s.modified.Equal(info.ModTime())
}

// know notes a base path before any file of it is read.
func (t *Tailer) know(base string) {
	if _, ok := t.bases[base]; !ok {
		t.bases[base] = t.threshold(base)
	}
}

// threshold is the time before which an unknown rotated file of a base path
// was there before its log was followed, and is left alone.
func (t *Tailer) threshold(base string) time.Time {
	if at, known := t.deps.State.oldest(t.deps.State.pathMark(t.cfg.Host, base)); known {
		return at
	}
	return t.started.Add(-t.cfg.Poll)
}

// discover opens a file that was not open and finds out what it is.
func (t *Tailer) discover(p present, now time.Time) error {
	f, err := openTracked(t, p.path)
	if err != nil {
		return err
	}
	if t.files[f.id] != nil { // renamed since it was listed
		_ = f.file.Close()
		return nil
	}
	f.atStart, f.rotated = t.first, isRotated(p.path)
	look := sighting{id: f.id, size: f.size, modified: f.modified}
	head, ok, err := f.firstLine(t.cfg.Once)
	switch {
	case err != nil:
		if f.packed {
			look.broken = noStream
		}
	case !ok && !f.rotated:
		t.files[f.id] = f
		delete(t.seen, p.path)
		return nil
	case ok:
		stream := t.deps.Name(t.cfg.Host, t.named(f), head)
		if p.sibling && !t.deps.State.known(stream) && f.modified.Before(t.bases[f.base]) {
			break
		}
		look, err = t.adopt(f, stream, head, look, now)
		if f.cursor != nil {
			delete(t.seen, p.path)
			return err
		}
	}
	_ = f.file.Close()
	t.seen[p.path] = look
	if look.broken != nil {
		return nil
	}
	return err
}

// named is the path under which the file's stream is named.
func (t *Tailer) named(f *tracked) string {
	if t.cfg.As != "" {
		return BasePath(t.cfg.As)
	}
	return f.base
}

// adopt claims the stream of a file and puts the file at its cursor.
func (t *Tailer) adopt(f *tracked, stream string, head []byte, look sighting, now time.Time) (sighting, error) {
	c, v := t.deps.State.claim(f, stream, head, now)
	switch v {
	case shadow:
		look.copyOf = c
		return look, nil
	case later:
		look.retry = true
		return look, nil
	case taken:
		look.retry = true
		return look, &text.Hint{Err: fmt.Errorf("%s is read by another source already", f.path), Hint: "give the file to one source only"}
	}
	if t.cfg.FromEnd && f.atStart && !f.rotated && c.fresh() {
		if err := f.skipToEnd(c); err != nil {
			t.deps.State.finish(c, false)
			look.retry = true
			return look, err
		}
	}
	if err := f.begin(c); err != nil {
		t.deps.State.finish(c, false)
		f.cursor = nil
		look.retry = true
		return look, err
	}
	f.named = bytes.Clone(head[:min(len(head), tailWindow)])
	t.files[f.id] = f
	return look, nil
}

// report shows the problems and logs each when it appears or changes.
func (t *Tailer) report(problems []source.Problem) {
	now := map[string]string{}
	for _, p := range problems {
		now[p.Path] = p.Err.Error()
		if t.stuck[p.Path] != now[p.Path] {
			t.deps.Logger.Error("a file can't be read", "source", t.cfg.Source, "error", p.Err, "hint", text.HintOf(p.Err))
		}
	}
	t.stuck = now
	t.problems.Store(&problems)
}

func (t *Tailer) measure() {
	var lag int64
	for _, f := range t.files {
		if !f.packed {
			lag += max(0, f.size-int64(f.pos))
		}
	}
	t.lag.Store(lag)
}
