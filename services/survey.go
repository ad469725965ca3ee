package services

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/text"
)

// surveyBytes is how much of each log a survey reads.
const surveyBytes = 32 << 20

// SurveyedLog is what init learned of one log. It holds no value of a line.
type SurveyedLog struct {
	Path      string
	Name      string // of its source
	System    string
	Format    string
	Share     float64
	Why       string
	Lines     int
	Rejected  int
	Evidenced []string // ids of controls that the format can answer
	Missing   []string // "TL-01 (tls)"
	Advice    string   // lines for the server's configuration
	Warning   string   // about the file's permissions
}

// Surveyed is what init learned of all logs.
type Surveyed struct {
	Logs []SurveyedLog
	seen map[string]*datamap.Seen
}

// Survey looks through logs.
func Survey(ctx context.Context, paths []string) (*Surveyed, error) {
	s := &Surveyed{seen: map[string]*datamap.Seen{}}
	names := map[string]bool{}
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		l := SurveyedLog{Path: abs, Name: sourceName(abs, names)}
		l.System = l.Name
		if err := s.survey(ctx, &l); err != nil {
			return nil, err
		}
		s.Logs = append(s.Logs, l)
	}
	return s, nil
}

// sourceName derives a source's name from the file's, unique among names.
func sourceName(path string, names map[string]bool) string {
	base, _, _ := strings.Cut(filepath.Base(path), ".")
	if base == "access" || base == "kafka-authorizer" {
		base = filepath.Base(filepath.Dir(path)) + "-" + base
	}
	name := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return '-'
	}, base), "-")
	if name == "" {
		name = "log"
	}
	for n, i := name, 2; names[name]; i++ {
		name = fmt.Sprintf("%s-%d", n, i)
	}
	names[name] = true
	return name
}

func (s *Surveyed) survey(ctx context.Context, l *SurveyedLog) error {
	f, err := os.Open(l.Path)
	if errors.Is(err, fs.ErrPermission) {
		return &text.Hint{Err: fmt.Errorf("%s may not be read by you: %s", l.Path, modeOf(l.Path)), Hint: "join the group that owns the logs (often adm), then sign in again"}
	}
	if err != nil {
		return &text.Hint{Err: fmt.Errorf("failed to read %s: no such file", l.Path), Hint: "check the path with ls -l " + l.Path}
	}
	defer func() { _ = f.Close() }()
	if st, err := f.Stat(); err == nil && st.Mode().Perm()&0o004 != 0 {
		l.Warning = "every user of this machine can read this log (" + st.Mode().Perm().String() + "), and it holds personal data: chmod o-r " + l.Path
	}
	g, err := Recognise(l.Path)
	if err != nil {
		return err
	}
	l.Format, l.Share, l.Why = g.Format, g.Share, g.Why
	var in io.Reader = f
	if strings.HasSuffix(l.Path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return fmt.Errorf("failed to decompress %s: %w", l.Path, err)
		}
	}
	i, err := NewInspector(ctx, DefaultConfig(os.TempDir()), source.Config{Name: l.Name, Format: l.Format, System: l.System})
	if err != nil {
		return err
	}
	defer func() { _ = i.Close() }()
	carries := map[string]bool{}
	err = i.Each(ctx, io.LimitReader(in, surveyBytes), func(_ int, b *audit.Batch) error {
		l.Lines += len(b.Lines)
		l.Rejected += len(b.Rejections)
		for n := range b.Entries {
			if e := &b.Entries[n]; !b.Events[n].Rejected {
				s.count(l.System, e)
				for _, c := range e.Carries {
					carries[c] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return l.judge(carries)
}

// count adds one entry's template. Lines that name no resource have none.
func (s *Surveyed) count(system string, e *audit.Entry) {
	if e.URLTemplate == "" {
		return
	}
	key := system + "\x00" + e.URLTemplate
	t := s.seen[key]
	if t == nil {
		t = &datamap.Seen{System: system, Template: e.URLTemplate}
		s.seen[key] = t
	}
	t.Count++
	for _, k := range e.QueryKeys {
		if len(t.QueryKeys) < 20 && !slices.Contains(t.QueryKeys, k) {
			t.QueryKeys = append(t.QueryKeys, k)
		}
	}
}

// judge says which controls the log can answer and what would add the rest.
func (l *SurveyedLog) judge(carries map[string]bool) error {
	set, err := LoadControls("")
	if err != nil {
		return err
	}
	lacks := map[string]bool{}
	for _, c := range set.Controls {
		var missing []string
		for _, n := range c.Needs {
			if !carries[n] {
				missing = append(missing, n)
				lacks[n] = true
			}
		}
		if len(missing) == 0 {
			l.Evidenced = append(l.Evidenced, c.ID)
		} else {
			l.Missing = append(l.Missing, c.ID+" ("+strings.Join(missing, ", ")+")")
		}
	}
	if !carries["purpose"] {
		lacks["purpose"] = true
		l.Missing = append(l.Missing, "stated purposes (they are inferred from the data map)")
	}
	l.Advice = advice(l.Format, lacks)
	return nil
}

// advice is what to write into the server's configuration, so that a log shows
// what it lacks.
func advice(format string, lacks map[string]bool) string {
	if !lacks["tls"] && !lacks["purpose"] {
		return ""
	}
	server, _, _ := strings.Cut(format, ":")
	switch server {
	case "nginx":
		return `log_format tallystick '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $ssl_protocol "$http_x_purpose"';` +
			"\naccess_log /var/log/nginx/access.log tallystick;" +
			"\nand here: format: 'nginx:$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\" $ssl_protocol \"$http_x_purpose\"'"
	case "envoy":
		return `"tls": "%DOWNSTREAM_TLS_VERSION%", "purpose": "%REQ(X-PURPOSE)%", "peer": "%DOWNSTREAM_REMOTE_ADDRESS%"   in json_format`
	}
	return ""
}

func modeOf(path string) string {
	st, err := os.Stat(path)
	if err != nil {
		return "unknown mode"
	}
	return "mode " + st.Mode().Perm().String()
}

// Config drafts tallystick.yaml.
func (s *Surveyed) Config() []byte {
	var b bytes.Buffer
	b.WriteString("# Written by tallystick init. The reference is docs/reference/config.md.\nsources:\n")
	for _, l := range s.Logs {
		fmt.Fprintf(&b, "- name: %s\n  file: %s\n  format: %q\n  system: %s\n", l.Name, l.Path, l.Format, l.System)
		if strings.HasPrefix(l.Format, "kafka:") {
			b.WriteString("  timezone: UTC   # DECIDE: the broker's zone; its log has none\n")
		}
		b.WriteString("  # trusted_proxies: [10.0.0.0/8]   # only these set the client's address\n")
	}
	b.WriteString("datamap: datamap.yaml\n")
	return b.Bytes()
}

// DataMap drafts datamap.yaml.
func (s *Surveyed) DataMap() []byte {
	var seen []datamap.Seen
	for _, t := range s.seen {
		seen = append(seen, *t)
	}
	slices.SortFunc(seen, func(a, b datamap.Seen) int {
		return strings.Compare(a.System+a.Template, b.System+b.Template)
	})
	return datamap.Draft(seen)
}
