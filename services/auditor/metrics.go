package auditor

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/audit"
)

type metrics struct {
	entries, duplicates, chunks, restarts, fenced prometheus.Counter
	failures                                      *prometheus.CounterVec
	rejections, findings                          *prometheus.CounterVec
	chunkSeconds                                  prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		entries:    prometheus.NewCounter(prometheus.CounterOpts{Name: "tallystick_auditor_entries_total", Help: "Entries stored and committed."}),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{Name: "tallystick_auditor_duplicate_lines_total", Help: "Lines dropped because the store has them."}),
		chunks:     prometheus.NewCounter(prometheus.CounterOpts{Name: "tallystick_auditor_chunks_total", Help: "Chunks closed."}),
		restarts:   prometheus.NewCounter(prometheus.CounterOpts{Name: "tallystick_auditor_worker_restarts_total", Help: "Workers that failed and began again."}),
		fenced:     prometheus.NewCounter(prometheus.CounterOpts{Name: "tallystick_auditor_fenced_total", Help: "Partitions given up because another auditor works on them."}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tallystick_auditor_failures_total",
			Help: "Failures of a partition's worker by cause: away, slow, read-only, disk-full, too-many-parts, memory, damaged, other."}, []string{"cause"}),
		rejections: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tallystick_auditor_rejections_total", Help: "Rejected lines by reason."}, []string{"reason"}),
		findings:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tallystick_auditor_findings_total", Help: "Findings by control."}, []string{"control"}),
		chunkSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tallystick_auditor_chunk_store_seconds", Help: "Time from intent to commit of a chunk.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 12)}),
	}
	if r != nil {
		r.MustRegister(m.entries, m.duplicates, m.chunks, m.restarts, m.fenced, m.failures, m.rejections, m.findings, m.chunkSeconds)
	}
	return m
}

// committed counts a chunk and what is in it.
func (m *metrics) committed(c *audit.Chunk, rs []audit.Rejection, fs []audit.Finding, took time.Duration) {
	m.entries.Add(float64(c.Entries))
	for i := range rs {
		m.rejections.WithLabelValues(string(rs[i].Reason)).Inc()
	}
	for i := range fs {
		m.findings.WithLabelValues(fs[i].Control).Inc()
	}
	m.chunks.Inc()
	m.chunkSeconds.Observe(took.Seconds())
}
