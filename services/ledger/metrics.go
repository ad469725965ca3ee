package ledger

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	size    prometheus.Gauge
	waiting prometheus.Gauge
	errors  prometheus.Counter

	witnesses      prometheus.Gauge
	contradictions prometheus.Counter

	expired *prometheus.CounterVec
	held    *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		size:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "tallystick_ledger_leaves", Help: "Leaves under the newest signed checkpoint."}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tallystick_ledger_waiting_chunks", Help: "Closed chunks that had no leaf when last looked at."}),
		errors:  prometheus.NewCounter(prometheus.CounterOpts{Name: "tallystick_ledger_errors_total", Help: "Failed tries to extend the ledger or to publish a checkpoint."}),

		witnesses:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "tallystick_ledger_witnesses", Help: "Witnesses that signed the newest checkpoint handed to them."}),
		contradictions: prometheus.NewCounter(prometheus.CounterOpts{Name: "tallystick_ledger_contradictions_total", Help: "Answers of witnesses that keep another log than this one."}),

		expired: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tallystick_ledger_expired_rows_total", Help: "Rows that were removed because they were kept long enough."}, []string{"class"}),
		held:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tallystick_ledger_held_chunks", Help: "Chunks that are due and stay because of a legal hold."}, []string{"class"}),
	}
	if r != nil {
		r.MustRegister(m.size, m.waiting, m.errors, m.witnesses, m.contradictions, m.expired, m.held)
	}
	return m
}
