package masker

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	records *prometheus.CounterVec // by stream and outcome
	bytes   *prometheus.CounterVec // by stream and direction
	lost    *prometheus.CounterVec // by stream
	refused *prometheus.CounterVec // by stream
	lag     *prometheus.GaugeVec   // by stream and partition
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "tallystick", Subsystem: "masker", Name: name, Help: help}, labels)
	}
	m := &metrics{
		records: counter("records_total", "Records by what became of them: masked, dropped, dead-lettered, or control for what has the form of a transaction's end and is left out.", "stream", "outcome"),
		bytes:   counter("bytes_total", "Bytes of keys and values, in and out.", "stream", "direction"),
		lost:    counter("lost_records_total", "Records that the cluster deleted before they were masked.", "stream"),
		refused: counter("refused_values_total", "Values that did not fit their transform and were redacted.", "stream"),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "tallystick", Subsystem: "masker", Name: "lag_records",
			Help: "Records of the partition that are not masked yet."}, []string{"stream", "partition"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.records, m.bytes, m.lost, m.refused, m.lag} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("failed to register the masker's metrics: %w", err)
		}
	}
	return m, nil
}
