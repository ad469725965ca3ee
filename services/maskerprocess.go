package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/tallystick/tallystick/services/masker"
)

// MaskerTarget is the target of a masker's process. It is no part of an
// installation: it needs Kafka, policies and their keys, and stores nothing.
const MaskerTarget = "masker"

// Masking is the process of a masker.
type Masking struct {
	*masker.Masker
	metrics  *prometheus.Registry
	listener net.Listener // nil without metrics.listen
}

// OpenMasker opens the streams of the configuration.
func OpenMasker(c *Config, log *slog.Logger) (_ *Masking, err error) {
	m := &Masking{metrics: prometheus.NewRegistry()}
	m.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.Masker, err = masker.New(c.Masker, masker.Deps{Policies: policies{&c.Masking, c.Data, log}, Kafka: c.Kafka, Logger: log, Metrics: m.metrics})
	if err != nil {
		return nil, err
	}
	if c.Metrics.Listen != "" {
		if m.listener, err = net.Listen("tcp", c.Metrics.Listen); err != nil {
			return nil, errors.Join(fmt.Errorf("metrics.listen: %w", err), m.Masker.Close())
		}
	}
	return m, nil
}

// Run masks until ctx ends.
func (m *Masking) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.Masker.Run(ctx) })
	if m.listener != nil {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.HandlerFor(m.metrics, promhttp.HandlerOpts{}))
		mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
		mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
			if m.Trouble() != nil {
				http.Error(w, "Kafka does not answer", http.StatusServiceUnavailable)
				return
			}
			fmt.Fprintln(w, "ready")
		})
		srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
		g.Go(func() error {
			defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
			return ignoreClosed(srv.Serve(m.listener))
		})
	}
	return g.Wait()
}

// Addr is the address of the metrics, "" without a listener.
func (m *Masking) Addr() string {
	if m.listener == nil {
		return ""
	}
	return m.listener.Addr().String()
}

// Close ends what OpenMasker opened, after Run has returned.
func (m *Masking) Close() error {
	if m.listener != nil {
		_ = m.listener.Close()
	}
	return m.Masker.Close()
}
