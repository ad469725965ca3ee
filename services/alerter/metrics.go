package alerter

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	findings, malformed, notices, errors prometheus.Counter
	deliveries                           *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "tallystick_alerter_" + name, Help: help})
	}
	m := metrics{
		findings:  counter("findings_total", "Findings that were put in a group."),
		malformed: counter("malformed_total", "Messages of findings.v1 that are no finding."),
		notices:   counter("notices_total", "Notices put in the outbox, per receiver."),
		errors:    counter("errors_total", "Failed acts that are tried again."),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tallystick_alerter_deliveries_total", Help: "Tries of a delivery by result: sent, retry, given-up or gone.",
		}, []string{"result"}),
	}
	if r != nil {
		r.MustRegister(m.findings, m.malformed, m.notices, m.errors, m.deliveries)
	}
	return m
}
