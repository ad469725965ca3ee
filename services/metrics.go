package services

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// MetricsConfig is a listener for processes without a console, for Prometheus
// and health checks. The console serves the same three paths by itself.
type MetricsConfig struct {
	// Listen is HOST:PORT, for example 127.0.0.1:9464; it serves /metrics,
	// /healthz and /readyz without sign-in. Empty: no listener.
	Listen string `yaml:"listen,omitempty"`
}

// openMetrics opens the listener that the configuration names.
func (a *App) openMetrics(context.Context) error {
	if a.cfg.Metrics.Listen == "" || len(a.opts.Targets) == 0 || a.opts.Private {
		return nil
	}
	ln, err := net.Listen("tcp", a.cfg.Metrics.Listen)
	if err != nil {
		return fmt.Errorf("metrics.listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := a.store.Ping(r.Context()); err != nil {
			http.Error(w, "ClickHouse does not answer", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	a.onStop("metrics", func() error { _ = ln.Close(); return ignoreClosed(srv.Close()) })
	a.onRun("metrics", func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
		return ignoreClosed(srv.Serve(ln))
	})
	return nil
}
