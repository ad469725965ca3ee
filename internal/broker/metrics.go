package broker

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	produced, producedBytes, retries, fetched, fetchedBytes, refused *prometheus.CounterVec // by topic
	generations                                                      *prometheus.CounterVec // by group
	failures                                                         *prometheus.CounterVec // by what was done
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{}
	for _, v := range []struct {
		vec         **prometheus.CounterVec
		name, label string
		help        string
	}{
		{&m.produced, "produced_messages_total", "topic", "Messages that the broker acknowledged."},
		{&m.producedBytes, "produced_bytes_total", "topic", "Bytes of keys and values that the broker acknowledged."},
		{&m.retries, "produce_retries_total", "topic", "Produce requests that were tried again."},
		{&m.fetched, "fetched_messages_total", "topic", "Messages fetched."},
		{&m.fetchedBytes, "fetched_bytes_total", "topic", "Bytes of keys and values fetched."},
		{&m.refused, "refused_batches_total", "topic", "Batches of messages that could not be read and were passed over."},
		{&m.failures, "failures_total", "during", "What failed and is tried again: open, produce, fetch, join, consume."},
		{&m.generations, "group_generations_total", "group", "Assignments of partitions taken part in: rebalances."},
	} {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "tallystick", Subsystem: "broker", Name: v.name, Help: v.help,
		}, []string{v.label})
		*v.vec = c
		if reg == nil {
			continue
		}
		err := reg.Register(c)
		var already prometheus.AlreadyRegisteredError
		if errors.As(err, &already) { // a second client of the process shares it
			*v.vec = already.ExistingCollector.(*prometheus.CounterVec)
		} else if err != nil {
			return nil, fmt.Errorf("failed to register the broker's metrics: %w", err)
		}
	}
	return m, nil
}
