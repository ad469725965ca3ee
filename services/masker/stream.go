package masker

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/transform"
)

// originHeader names the input record of an output record:
// CLUSTER/TOPIC/PARTITION/OFFSET.
const originHeader = "tallystick-origin"

// Headers of dead letters beside originHeader.
const (
	reasonHeader = "tallystick-reason"
	bytesHeader  = "tallystick-bytes"
)

// defaultSession is broker's own default.
const defaultSession = 10 * time.Second

// stream is one topic that is masked into another.
type stream struct {
	cfg     *Stream
	client  *broker.Client
	log     *slog.Logger
	metrics *metrics
	// trust is how long a partition is taken for this process's after the group
	// said so.
	trust time.Duration

	policy   *transform.Policy
	detector *detect.Detector
	domain   *keys.Domain // nil without keyed transforms
	value    codec
	key      codec // nil: keyRule, if there is one
	keyRule  *transform.Rule
	headers  map[string]transform.Rule

	origin string      // of the input's records, up to the partition; set by run
	found  atomic.Bool // the topic is there
}

func newStream(cfg *Stream, deps *Deps, m *metrics) (*stream, error) {
	s := &stream{cfg: cfg, log: deps.Logger.With("stream", cfg.Name), metrics: m, trust: cmp.Or(deps.Session, defaultSession) / 3}
	var err error
	if s.policy, s.detector, err = deps.Policies.Policy(cfg.Policy); err != nil {
		return nil, err
	}
	if err := s.rules(); err != nil {
		return nil, err
	}
	if s.policy.Fleeting() {
		return nil, &text.Hint{
			Err:  fmt.Errorf("policy %s has a transform random, whose tokens would end with the process and differ by partition", cfg.Policy),
			Hint: "use pseudonym, which one can't reverse either, or redact",
		}
	}
	if s.policy.Keyed() {
		if s.domain, err = deps.Policies.Keys(cfg.Policy); err != nil {
			return nil, err
		}
	}
	if _, err := transform.New(s.policy, s.detector, s.domain); err != nil {
		return nil, err
	}
	if err := s.codecs(); err != nil {
		return nil, err
	}
	cluster := cfg.Kafka
	if len(cluster.Addresses) == 0 {
		cluster = deps.Kafka
	}
	if len(cluster.Addresses) == 0 {
		return nil, &text.Hint{
			Err:  fmt.Errorf("there is no cluster to read %s from", cfg.From),
			Hint: "set kafka.addresses, of the stream or of tallystick.yaml: nobody else reaches the embedded broker",
		}
	}
	to := []string{cfg.To}
	if cfg.DeadLetter != "" {
		to = append(to, cfg.DeadLetter)
	}
	s.client, err = broker.OpenTopic(cluster, cfg.From, broker.Deps{Topics: to, Log: s.log, Metrics: deps.Metrics, Session: deps.Session})
	return s, err
}

// rules adds the transforms of key and headers to the policy.
func (s *stream) rules() error {
	const hint = "the transforms are in docs/how-to/find-personal-data.md"
	if t := s.cfg.Key.Transform; t != "" {
		r, err := s.policy.Add("key", t)
		if err != nil {
			return &text.Hint{Err: fmt.Errorf("key.transform: %w", err), Hint: hint}
		}
		s.keyRule = &r
	}
	s.headers = map[string]transform.Rule{}
	for name, t := range s.cfg.Headers {
		r, err := s.policy.Add(name, t)
		if err != nil {
			return &text.Hint{Err: fmt.Errorf("headers: %w", err), Hint: hint}
		}
		s.headers[name] = r
	}
	return nil
}

func (s *stream) codecs() (err error) {
	var r *registry
	if s.cfg.Registry.URL != "" {
		if r, err = newRegistry(s.cfg.Registry, s.log); err != nil {
			return err
		}
	}
	if s.value, err = newCodec(&s.cfg.Value, r); err != nil {
		return err
	}
	if s.cfg.Key.Format != "" {
		s.key, err = newCodec(&s.cfg.Key, r)
	}
	return err
}

// findWait is how long run waits before it looks for the topic again.
const findWait = 2 * time.Second

// run masks until ctx ends or a record stops it. found is told the id of the
// cluster before any record is read.
func (s *stream) run(ctx context.Context, found func(cluster string) error) error {
	for {
		cluster, err := s.client.Cluster(ctx, s.cfg.From)
		if err == nil {
			if err := found(cluster); err != nil {
				return err
			}
			s.origin = cluster + "/" + s.cfg.From + "/"
			s.found.Store(true)
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		s.log.Warn("the topic can't be read and is looked for again", "topic", s.cfg.From, "error", err,
			"hint", "see that Kafka runs at kafka.addresses, that the topic exists and that the user may read it")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(findWait):
		}
	}
	s.log.Info("masking", "from", s.cfg.From, "to", s.cfg.To, "group", s.cfg.Group)
	return s.client.Consume(ctx, s.cfg.Group, s.cfg.From, s.partition)
}

// partition masks one partition until it is given up.
func (s *stream) partition(ctx context.Context, p *broker.Partition) error {
	w, err := s.newWorker(ctx, p)
	if err != nil {
		return err
	}
	defer s.metrics.lag.DeleteLabelValues(s.cfg.Name, strconv.Itoa(p.ID))
	for {
		msgs, err := w.fetch(ctx)
		if err != nil {
			return err
		}
		if err := w.forward(ctx, msgs); err != nil {
			return err
		}
	}
}

// place is the origin of an input record.
func (s *stream) place(partition int, offset int64) string {
	return s.origin + strconv.Itoa(partition) + "/" + strconv.FormatInt(offset, 10)
}

// offsetOf is the offset of the input record that an output record was made of.
func (s *stream) offsetOf(partition int, m *broker.Message) (offset int64, ok bool) {
	for _, h := range m.Headers {
		if h.Name != originHeader {
			continue
		}
		rest, ours := strings.CutPrefix(string(h.Value), s.origin+strconv.Itoa(partition)+"/")
		if !ours {
			return 0, false
		}
		offset, err := strconv.ParseInt(rest, 10, 64)
		return offset, err == nil
	}
	return 0, false
}
