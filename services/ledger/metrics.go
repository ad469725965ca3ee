package ledger

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	size    prometheus.Gauge
	waiting prometheus.Gauge
	errors  prometheus.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		size:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "tallystick_ledger_leaves", Help: "Leaves under the newest signed checkpoint."}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tallystick_ledger_waiting_chunks", Help: "Closed chunks that had no leaf when last looked at."}),
		errors:  prometheus.NewCounter(prometheus.CounterOpts{Name: "tallystick_ledger_errors_total", Help: "Failed tries to extend the ledger."}),
	}
	if r != nil {
		r.MustRegister(m.size, m.waiting, m.errors)
	}
	return m
}
