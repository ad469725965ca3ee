package tap

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/internal/broker"
)

// metrics are labelled by the source's name and by nothing of a line.
type metrics struct {
	lines, bytes, batches, sealed *prometheus.CounterVec
	errors                        *prometheus.CounterVec // by source and step
	gaps                          *prometheus.CounterVec // by source and kind
	outcomes                      *prometheus.CounterVec // by source and the Reader's own word
	dropped                       *prometheus.CounterVec
	lag, open, problems, alive    *prometheus.GaugeVec
	spooled                       *prometheus.GaugeVec
}

// newMetrics registers the metrics, or shares those that an earlier Tap of the
// process registered. reg may be nil.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	var errs []error
	counter := func(name, help string, more ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tallystick_tap_" + name, Help: help}, append([]string{"source"}, more...))
		return register(reg, c, &errs)
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tallystick_tap_" + name, Help: help}, []string{"source"})
		return register(reg, g, &errs)
	}
	m := &metrics{
		lines:    counter("lines_total", "Lines that are durable in Kafka."),
		bytes:    counter("bytes_total", "Bytes of the lines that are durable in Kafka, without line ends."),
		batches:  counter("batches_total", "Batches that are durable in Kafka."),
		sealed:   counter("sealed_bytes_total", "Bytes of the batches in Kafka."),
		errors:   counter("errors_total", "Failures by step: read, seal, produce, spool, position.", "step"),
		gaps:     counter("gaps_total", "Places where lines are or may be lost.", "kind"),
		outcomes: counter("received_total", "What listeners and consumers received, by outcome.", "outcome"),
		dropped:  counter("dropped_lines_total", "Lines that were dropped because Kafka did not take them."),
		spooled:  gauge("spooled_bytes", "Bytes of sealed batches that wait on disk."),
		lag:      gauge("unread", "Bytes of files, or records of topics, that are not yet read."),
		open:     gauge("open", "Open files, connections or partitions."),
		problems: gauge("unreadable", "Files, listeners or topics that can't be read at present."),
		alive:    gauge("alive_timestamp_seconds", "When the source was last looked at."),
	}
	return m, errors.Join(errs...)
}

func register[C prometheus.Collector](reg prometheus.Registerer, c C, errs *[]error) C {
	if reg == nil {
		return c
	}
	err := reg.Register(c)
	var had prometheus.AlreadyRegisteredError
	if errors.As(err, &had) {
		if old, ok := had.ExistingCollector.(C); ok {
			return old
		}
	}
	if err != nil {
		*errs = append(*errs, err)
	}
	return c
}

func (m *metrics) count(source string, lines, bytes uint64, msgs []broker.Message) {
	m.lines.WithLabelValues(source).Add(float64(lines))
	m.bytes.WithLabelValues(source).Add(float64(bytes))
	m.batches.WithLabelValues(source).Add(float64(len(msgs)))
	n := 0
	for _, msg := range msgs {
		n += len(msg.Value)
	}
	m.sealed.WithLabelValues(source).Add(float64(n))
}

func (m *metrics) observe(l *lane) {
	s := l.reader.Status()
	m.lag.WithLabelValues(l.source).Set(float64(s.Lag))
	m.open.WithLabelValues(l.source).Set(float64(s.Open))
	m.problems.WithLabelValues(l.source).Set(float64(len(s.Problems)))
	if l.spool != nil {
		m.spooled.WithLabelValues(l.source).Set(float64(l.spool.Status().Bytes))
	}
	m.alive.WithLabelValues(l.source).Set(float64(l.turned.Load()) / 1e9)
}
