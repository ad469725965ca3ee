package ledger

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/durable"
)

// Producer sends messages to Kafka. broker.Client is one.
type Producer interface {
	Produce(ctx context.Context, topic string, msgs ...broker.Message) error
}

// publishTimeout bounds one publication.
const publishTimeout = 15 * time.Second

// RunPublishing hands each new checkpoint to the witnesses and publishes it,
// every cfg.Every, until ctx ends. What fails is tried again with the next.
func (s *Ledger) RunPublishing(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.Publish(ctx)
		}
	}
}

// Publish hands the newest checkpoint to the witnesses and publishes it, unless
// that was done for it before.
func (s *Ledger) Publish(ctx context.Context) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	cp := s.log.Checkpoint()
	if cp.Size == 0 || cp.Size == s.published {
		return
	}
	r := s.witnesses.ask(ctx, s.log.Reader, cp)
	whole := len(r.silent) == 0
	for i, err := range r.errs {
		s.deps.Logger.Warn("a witness has not signed the checkpoint; it is asked again", "witness", r.silent[i], "error", err)
	}
	for _, no := range r.wrong {
		s.deps.Logger.Error("a witness contradicts this log: it was rolled back or forked", "witness", no.Witness, "size", no.Size, "witness_size", no.Other)
		if s.deps.Contradicted != nil {
			s.deps.Contradicted(ctx, no.Witness, ledger.Problem{Kind: no.Kind, Size: no.Size, Other: no.Other})
		}
	}
	s.m.witnesses.Set(float64(len(r.by)))
	s.m.contradictions.Add(float64(len(r.wrong)))
	if err := s.keep(r, cp.Size); err != nil {
		s.deps.Logger.Error("failed to keep a cosigned checkpoint; it is tried again", "error", err)
		whole = false
	}
	note := r.note
	if len(r.by) == 0 {
		note = s.log.WithCosignatures(note)
	}
	for _, to := range s.publishers() {
		if err := to.publish(ctx, note); err != nil && ctx.Err() == nil {
			s.deps.Logger.Warn("failed to publish a checkpoint; it is tried again", "to", to.name, "error", err)
			s.m.errors.Inc()
			whole = false
		}
	}
	if whole {
		s.published = cp.Size
	}
}

// keep keeps what witnesses signed, unless a newer checkpoint is kept. The caller
// holds publishing.
func (s *Ledger) keep(r *round, size uint64) error {
	if len(r.by) == 0 || size < s.cosigned {
		return nil
	}
	s.cosigned = size
	return s.log.WriteCosigned(r.note)
}

// Grown reports whether the log has grown since New.
func (s *Ledger) Grown() bool { return s.log.Checkpoint().Size > s.opened }

type publisher struct {
	name    string
	publish func(ctx context.Context, note []byte) error
}

func (s *Ledger) publishers() []publisher {
	var out []publisher
	if p := s.cfg.Publish; p.File != "" {
		out = append(out, publisher{"file", func(_ context.Context, note []byte) error { return durable.Replace(p.File, note, 0o644) }})
	}
	if p := s.cfg.Publish; p.URL != "" {
		out = append(out, publisher{"url", func(ctx context.Context, note []byte) error { return post(ctx, p.URL, note) }})
	}
	if p := s.cfg.Publish; p.Topic != "" && s.deps.Producer != nil {
		out = append(out, publisher{"topic", func(ctx context.Context, note []byte) error {
			return s.deps.Producer.Produce(ctx, p.Topic, broker.Message{Key: []byte(s.cfg.Origin), Value: note})
		}})
	}
	return out
}

func post(ctx context.Context, address string, b []byte) error {
	client := http.Client{Timeout: publishTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answers %d", res.StatusCode)
	}
	return nil
}
