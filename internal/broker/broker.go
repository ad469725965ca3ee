// Package broker is the client of Kafka: it produces durably, consumes with
// positions that the handler sets, and deletes what is done.
//
// It is the only importer of kafka-go. It knows nothing of what messages hold:
// what is on lines.v1 is sealed, what is on findings.v1 is masked. Callers are
// services/tap, services/auditor, services/alerter, and for topics of other
// clusters audit/source/kafka and services/masker. Embedded or remote is only an address.
package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"github.com/tallystick/tallystick/internal/text"
)

// The topics.
const (
	Lines    = "lines.v1"    // sealed, signed batches; key = stream
	Findings = "findings.v1" // findings as JSON; key = finding id
)

// The consumer groups.
const (
	Auditors = "tallystick-auditor" // of Lines
	Alerters = "tallystick-alerter" // of Findings
)

// MaxMessage is the most that key and value of one message may have together,
// in bytes: Kafka's default message.max.bytes less the frame around them.
const MaxMessage = 1_048_000

// ErrTooLarge says that a message is over MaxMessage or over the broker's limit.
var ErrTooLarge = errors.New("the message is too large for the broker")

// Message is one record of a topic.
type Message struct {
	Key, Value []byte
	Headers    []Header // that Produce does not send: only Append does
	// The rest is set on what is fetched. Skipped counts the offsets before
	// this one that the broker deleted before they were fetched: they are lost.
	Partition int
	Offset    int64
	Skipped   int64
	Time      time.Time // as its producer or the broker set it; zero if it has none
	// Control: it is the end of a transaction, or what compaction left of a batch,
	// and nobody's message.
	Control bool
	// Refused says why a batch can't be read, for whose messages, those from
	// Offset to before Until, this one stands: it has the batch as Value if that
	// is no larger than MaxMessage, and the time of its youngest message. The
	// error is an ErrRefused. nil, and Until 0, for a message.
	Refused error
	Until   int64
}

// Header is one header of a message.
type Header struct {
	Name  string
	Value []byte
}

// Deps are what a Client uses of the program. Metrics may be nil.
type Deps struct {
	// Topics are further topics to produce to; Open makes them if they are missing.
	Topics []string
	// Await lets Open succeed while the cluster is away: see Open.
	Await   bool
	Log     *slog.Logger
	Metrics prometheus.Registerer
	// Session is how long a member of a group may be silent before its
	// partitions move. Default 10s.
	Session time.Duration
}

// Client is a connection to the cluster. It is safe for concurrent use.
type Client struct {
	cfg       Config
	log       *slog.Logger
	metrics   *metrics
	transport *kafka.Transport
	client    *kafka.Client
	dialer    *kafka.Dialer
	queue     int // messages that each partition's reader fetches ahead
	session   time.Duration

	mu         sync.Mutex
	partitions map[string][]int     // by topic; guarded by mu
	sent       map[place]*sentSizes // sizes of what this client produced; guarded by mu
	wanted     []string             // topics to be found or made before the first use; guarded by mu

	trouble atomic.Pointer[error] // see Trouble
}

type place struct {
	topic     string
	partition int
}

const (
	// queueOfBatches is short because batches are large: kafka-go's default of
	// 100 would hold 100 MB.
	queueOfBatches = 4

	requestTimeout = 10 * time.Second
	// metadataTTL is kafka-go's cache of topics and leaders; its default of 6 s
	// makes a new topic unknown for that long.
	metadataTTL = 2 * time.Second
)

// Open connects, and creates the topics that are missing. The caller closes.
//
// A cluster that is away makes it fail, unless Deps.Await is set: then Produce
// and Consume look for the topics, and make them, once the cluster answers. A
// cluster that says why it refuses the client makes it fail always.
func Open(ctx context.Context, cfg Config, deps Deps) (*Client, error) {
	topics := append([]string{Lines, Findings}, deps.Topics...)
	c, err := newClient(cfg, deps, topics...)
	if err != nil {
		return nil, err
	}
	c.wanted = topics
	err = c.ready(ctx)
	if err == nil {
		return c, nil
	}
	if deps.Await && Passing(err) && ctx.Err() == nil {
		c.metrics.failures.WithLabelValues("open").Inc()
		c.log.Error("Kafka is away at the start; taps take lines meanwhile, and what needs Kafka waits for it", "error", err, "hint", text.HintOf(err))
		return c, nil
	}
	c.transport.CloseIdleConnections()
	return nil, err
}

// newClient is a client that knows the topics' leaders before it is asked.
func newClient(cfg Config, deps Deps, topics ...string) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	registerProtocol()
	boundCodecs()
	tlsConfig, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	mechanism, err := cfg.sasl()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, err
	}
	t := &kafka.Transport{
		ClientID: clientID, TLS: tlsConfig, SASL: mechanism,
		MetadataTTL: metadataTTL, MetadataTopics: topics,
	}
	return &Client{
		cfg: cfg, log: deps.Log, metrics: m, transport: t,
		client:     &kafka.Client{Addr: kafka.TCP(cfg.Addresses...), Timeout: requestTimeout, Transport: t},
		dialer:     &kafka.Dialer{ClientID: clientID, Timeout: requestTimeout, DualStack: true, TLS: tlsConfig, SASLMechanism: mechanism},
		queue:      queueOfBatches,
		session:    cmp.Or(deps.Session, sessionTimeout),
		partitions: map[string][]int{},
		sent:       map[place]*sentSizes{},
	}, nil
}

// Close closes idle connections. Consume calls must have returned.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// partitionsOf returns the partitions of a topic, asked once.
func (c *Client) partitionsOf(ctx context.Context, topic string) ([]int, error) {
	c.mu.Lock()
	known := c.partitions[topic]
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	m, err := c.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, err
	}
	if len(m.Topics) != 1 {
		return nil, kafka.UnknownTopicOrPartition
	}
	if err := m.Topics[0].Error; err != nil {
		return nil, err
	}
	out := make([]int, len(m.Topics[0].Partitions))
	if len(out) == 0 {
		return nil, kafka.UnknownTopicOrPartition
	}
	for i := range out {
		out[i] = i // Kafka numbers them from 0 without gaps
	}
	c.mu.Lock()
	c.partitions[topic] = out
	c.mu.Unlock()
	return out, nil
}

// awayError wraps what passes when the broker is back or the group has settled.
type awayError struct{ err error }

func (e *awayError) Error() string { return e.err.Error() }
func (e *awayError) Unwrap() error { return e.err }

// failed names what failed, and marks errors that pass.
func failed(what, topic string, err error) error {
	err = fmt.Errorf("failed to %s %s: %w", what, topic, err)
	if retriable(err) {
		return &awayError{err}
	}
	return err
}

func retriable(err error) bool {
	var k kafka.Error
	if errors.As(err, &k) {
		return k.Temporary() || k.Timeout() || k == kafka.IllegalGeneration || k == kafka.UnknownMemberId || k == kafka.RebalanceInProgress
	}
	var n net.Error
	return errors.As(err, &n) || isBrokenConnection(err)
}
