package tap

import (
	"context"
	"path/filepath"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/als"
	"github.com/tallystick/tallystick/audit/source/push"
)

// als opens an Access Log Service. What it counted stands beside the spools.
func (t *Tap) als(s *source.Config, l *lane) (*als.Reader, error) {
	c := s.ALS
	tls, err := push.TLS(c.TLS)
	if err != nil {
		return nil, err
	}
	cfg := als.Config{
		Source: s.Name, Listen: c.Listen, TLS: tls, MaxConnections: c.MaxConnections, Admin: c.Admin, Prefixes: c.StatPrefixes,
	}
	if t.deps.Spool != "" {
		cfg.Book = filepath.Join(t.deps.Spool, s.Name+".counts")
	}
	if t.deps.Durable != nil {
		cfg.Durable = func(ctx context.Context, stream string) (uint64, bool, error) {
			if l.spool != nil && !l.spool.Empty() {
				return 0, false, nil
			}
			return t.deps.Durable(ctx, stream)
		}
	}
	return als.Open(cfg, l.readerDeps())
}
