// Package otlp listens for OpenTelemetry logs, over gRPC and over HTTP with
// protobuf or JSON.
//
// Each log record becomes one line: its body where that is text, else the whole
// record as a JSON object, which a mapping file reads. A request is answered
// with success when its lines are durable, in Kafka or in the tap's spool, and
// not before. The protocol has no identity of a request: a sender that misses
// the answer sends its records again, and they count again. Answers never repeat
// what was sent. services/tap opens a Reader.
package otlp

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/push"
)

const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
	maxReading    = 32 // bodies of HTTP that are read at once
	// answerWithin is how long a request waits for room and for its lines to be
	// durable.
	answerWithin = 30 * time.Second
	// stopWithin is how long requests have to end when the tap stops.
	stopWithin = 3 * time.Second
)

// Reader is a source.Reader of one source's listeners.
type Reader struct {
	name  string
	cfg   source.OTLP
	deps  source.Deps
	inlet *push.Inlet
	shape *message // of requests

	onGRPC, onHTTP *push.Listener // nil where there is none
	grpc           *grpc.Server
	http           *http.Server

	reading    chan struct{} // holds a value for each body that is being read
	begin, end sync.Once
	serving    sync.WaitGroup
	ended      chan struct{} // closed when no request runs any more
}

var _ source.Reader = (*Reader)(nil)

// Open opens the listeners and starts nothing; senders wait until the first
// Next.
func Open(name string, cfg source.OTLP, deps source.Deps) (*Reader, error) {
	r := &Reader{
		name: name, cfg: cfg, deps: deps, shape: newRequestShape(), ended: make(chan struct{}), reading: make(chan struct{}, maxReading),
		inlet: push.New(push.Config{Source: name, Listener: "otlp", Gather: 20 * time.Millisecond}, deps),
	}
	tls, err := push.TLS(cfg.TLS)
	if err != nil {
		return nil, err
	}
	if cfg.GRPC != "" {
		if r.onGRPC, err = push.Listen(cfg.GRPC, cfg.MaxConnections, deps); err != nil {
			return nil, err
		}
	}
	if cfg.HTTP != "" {
		if r.onHTTP, err = push.Listen(cfg.HTTP, cfg.MaxConnections, deps); err != nil {
			if r.onGRPC != nil {
				_ = r.onGRPC.Close()
			}
			return nil, err
		}
	}
	r.grpc = newGRPC(r, tls)
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/logs", r.logs)
	r.http = &http.Server{
		Handler: mux, TLSConfig: tls, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(deps.Logger.Handler(), slog.LevelDebug),
	}
	return r, nil
}

// Addrs are the addresses of the gRPC and the HTTP listener, nil where there is
// none.
func (r *Reader) Addrs() (onGRPC, onHTTP net.Addr) {
	if r.onGRPC != nil {
		onGRPC = r.onGRPC.Addr()
	}
	if r.onHTTP != nil {
		onHTTP = r.onHTTP.Addr()
	}
	return onGRPC, onHTTP
}

// Next is that of source.Reader. The first call begins to serve.
func (r *Reader) Next(ctx context.Context) (*source.Run, error) {
	r.begin.Do(r.serve)
	return r.inlet.Next(ctx)
}

func (r *Reader) serve() {
	if r.onGRPC != nil {
		r.serving.Go(func() { r.failed(r.grpc.Serve(r.onGRPC)) })
	}
	switch {
	case r.onHTTP == nil:
	case r.http.TLSConfig != nil:
		r.serving.Go(func() { r.failed(r.http.ServeTLS(r.onHTTP, "", "")) })
	default:
		r.serving.Go(func() { r.failed(r.http.Serve(r.onHTTP)) })
	}
}

func (r *Reader) failed(err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, grpc.ErrServerStopped) && !errors.Is(err, fs.ErrClosed) {
		r.deps.Logger.Error("a listener has failed", "source", r.name, "error", err, "hint", "restart the tap")
	}
}

// errFull says that there is no room, or that the lines did not become durable
// in time: the sender is to send the same again.
var errFull = errors.New("there is no room at present; send the same records again")

// take puts the records of a request and waits until they are durable.
func (r *Reader) take(ctx context.Context, req plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	resp := plogotlp.NewExportResponse()
	if r.inlet.Full() {
		return resp, errFull
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	var last uint64
	var put, refused, cut int
	for line, ok := range records(req.Logs(), r.cfg.WholeRecords) {
		if !ok {
			refused++
			continue
		}
		n, err := r.inlet.Put(ctx, line, len(line))
		if err != nil {
			return resp, errFull
		}
		last = n
		put++
		if len(line) > source.MaxLine {
			cut++
		}
	}
	if put > 0 && r.inlet.Durable(ctx, last) != nil {
		return resp, errFull
	}
	r.deps.Count("records", put-cut)
	r.deps.Count("too_long", cut)
	r.deps.Count("too_deep", refused)
	if refused > 0 {
		resp.PartialSuccess().SetRejectedLogRecords(int64(refused))
		resp.PartialSuccess().SetErrorMessage("values of records are nested too deeply")
	} else if cut > 0 { // a warning: all records are taken
		resp.PartialSuccess().SetErrorMessage("records over 64 KiB are kept in part, and can't be read")
	}
	return resp, nil
}

// Ack is that of source.Reader: requests get their answer.
func (r *Reader) Ack(run *source.Run) error {
	r.inlet.Ack(run)
	return nil
}

// Status is that of source.Reader.
func (r *Reader) Status() source.Status {
	_, pending := r.inlet.Number()
	s := source.Status{Lag: pending}
	for _, l := range []*push.Listener{r.onGRPC, r.onHTTP} {
		if l != nil {
			s.Open += l.Open()
		}
	}
	return s
}

// Stop takes no further request and lets those that run end; Next then ends
// with io.EOF.
func (r *Reader) Stop() {
	r.end.Do(func() { go r.stop() })
}

func (r *Reader) stop() {
	defer close(r.ended)
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	defer context.AfterFunc(ctx, r.grpc.Stop)() // GracefulStop then returns
	var stopping sync.WaitGroup
	stopping.Go(r.grpc.GracefulStop)
	stopping.Go(func() {
		if r.http.Shutdown(ctx) != nil {
			_ = r.http.Close()
		}
	})
	stopping.Wait()
	for _, l := range []*push.Listener{r.onGRPC, r.onHTTP} {
		if l != nil {
			_ = l.Close() // if it was never served
		}
	}
	r.serving.Wait()
	r.inlet.Stop()
}

// Close is that of source.Reader. Requests that wait are told to come again.
func (r *Reader) Close() error {
	r.begin.Do(func() {})
	r.inlet.Close()
	r.Stop()
	<-r.ended
	return nil
}
