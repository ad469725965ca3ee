package services

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/internal/durable"
)

// sourceSet is the configured sources and those that ingest made for files
// that no configured source covers. The latter are kept in a file, so that
// their sealed lines are understood after a restart too.
type sourceSet struct {
	path string

	mu         sync.Mutex
	configured map[string]source.Config
	made       map[string]source.Config
}

func openSources(configured []source.Config, path string) (*sourceSet, error) {
	s := &sourceSet{path: path, configured: map[string]source.Config{}, made: map[string]source.Config{}}
	for _, c := range configured {
		s.configured[c.Name] = c
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s.made)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read the sources of earlier ingests: %w", err)
	}
	return s, nil
}

// all returns every source by name.
func (s *sourceSet) all() map[string]source.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := maps.Clone(s.made)
	maps.Copy(out, s.configured)
	return out
}

// covering returns the configured source whose files all the paths are.
func (s *sourceSet) covering(paths []string) (source.Config, bool) {
	for _, name := range slices.Sorted(maps.Keys(s.configured)) {
		c := s.configured[name]
		if !slices.ContainsFunc(paths, func(p string) bool { return !covers(c, p) }) {
			return c, true
		}
	}
	return source.Config{}, false
}

// covers reports whether the file at an absolute path is one of a source's, as
// it is or as a rotated one.
func covers(c source.Config, path string) bool {
	if c.File == "" {
		return false
	}
	pattern, err := filepath.Abs(c.File)
	if err != nil {
		return false
	}
	for _, p := range []string{path, file.BasePath(path)} {
		if ok, _ := filepath.Match(pattern, p); ok {
			return true
		}
	}
	return false
}

// SourceOf returns the configured source of that name, or the one that tails
// the file at path; name and path may be empty.
func (c *Config) SourceOf(name, path string) (source.Config, bool) {
	for i := range c.Sources {
		if s := c.Sources[i]; name != "" && s.Name == name || name == "" && path != "" && covers(s, path) {
			return s, true
		}
	}
	return source.Config{}, false
}

// make adds a source for files of a format that no configured one covers. Its
// system is the data map's if that has exactly one.
func (s *sourceSet) make(format string, m *datamap.Map) (c source.Config, added bool, err error) {
	name := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, "ingest-"+format), "-")
	if len(name) > 40 {
		name = strings.Trim(name[:40], "-")
	}
	c = source.Config{Name: name, Format: format}
	if len(m.Systems) == 1 {
		c.System = m.Systems[0].Key
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.made[name]; ok && old.Format == c.Format && old.System == c.System {
		return old, false, nil
	}
	made := maps.Clone(s.made)
	made[name] = c
	b, err := json.MarshalIndent(made, "", "  ")
	if err != nil {
		return c, false, err
	}
	if err := durable.Replace(s.path, b, 0o600); err != nil {
		return c, false, fmt.Errorf("failed to keep the source of an ingest: %w", err)
	}
	s.made = made
	return c, true, nil
}
