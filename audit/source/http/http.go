// Package http listens for lines that are posted: NDJSON or text, one a line,
// plain, gzip or zstd.
//
// A request is answered with 200 when its lines are durable, in Kafka or in the
// tap's spool, and not before. What does not fit is answered with 503, so
// nothing is lost that the sender keeps. Answers never repeat what was sent.
// services/tap opens a Reader.
package http

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/push"
	"github.com/tallystick/tallystick/internal/private"
	"github.com/tallystick/tallystick/internal/text"
)

const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 5 * time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
	maxReading    = 32 // bodies that are read at once
	// answerWithin is how long a request waits for room and for its lines to
	// be durable.
	answerWithin = 30 * time.Second
	// stopWithin is how long requests have to end when the tap stops.
	stopWithin = 3 * time.Second
)

// Reader is a source.Reader of one source's listener.
type Reader struct {
	name   string
	cfg    source.HTTP
	deps   source.Deps
	token  *[sha256.Size]byte // nil: a client certificate is enough
	tcp    *push.Listener
	server *http.Server
	inlet  *push.Inlet
	keys   *keys

	reading    chan struct{} // holds a value for each body that is being read
	begin, end sync.Once
	ended      chan struct{} // closed when no request runs any more
}

var _ source.Reader = (*Reader)(nil)

// Open opens the listener and starts nothing; senders wait until the first
// Next.
func Open(name string, cfg source.HTTP, deps source.Deps) (*Reader, error) {
	r := &Reader{
		name: name, cfg: cfg, deps: deps, keys: newKeys(deps.Clock), ended: make(chan struct{}), reading: make(chan struct{}, maxReading),
		inlet: push.New(push.Config{Source: name, Listener: "http", Gather: 20 * time.Millisecond}, deps),
	}
	tls, err := push.TLS(cfg.TLS)
	if err != nil {
		return nil, err
	}
	if cfg.TokenFile != "" {
		if r.token, err = readToken(cfg.TokenFile); err != nil {
			return nil, err
		}
	}
	if r.tcp, err = push.Listen(cfg.Listen, cfg.MaxConnections, deps); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/lines", r.lines)
	r.server = &http.Server{
		Handler: mux, TLSConfig: tls, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(deps.Logger.Handler(), slog.LevelDebug),
	}
	return r, nil
}

// readToken reads the bearer token, of which only a digest is kept.
func readToken(path string) (*[sha256.Size]byte, error) {
	b, err := private.Read("token_file", path)
	if errors.Is(err, fs.ErrNotExist) {
		err = &text.Hint{Err: err, Hint: "make one: (umask 077; openssl rand -hex 32 > " + path + ")"}
	}
	if err != nil {
		return nil, err
	}
	token := strings.TrimSpace(string(b))
	if len(token) < 16 {
		return nil, &text.Hint{Err: fmt.Errorf("the token of senders in %s is shorter than 16 characters", path), Hint: "openssl rand -hex 32 makes one"}
	}
	sum := sha256.Sum256([]byte(token))
	return &sum, nil
}

// Addr is the listener's address.
func (r *Reader) Addr() net.Addr { return r.tcp.Addr() }

// Next is that of source.Reader. The first call begins to serve.
func (r *Reader) Next(ctx context.Context) (*source.Run, error) {
	r.begin.Do(func() { go r.serve() })
	return r.inlet.Next(ctx)
}

func (r *Reader) serve() {
	var err error
	if r.server.TLSConfig != nil {
		err = r.server.ServeTLS(r.tcp, "", "")
	} else {
		err = r.server.Serve(r.tcp)
	}
	if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, fs.ErrClosed) {
		r.deps.Logger.Error("a listener has failed", "source", r.name, "error", err, "hint", "restart the tap")
	}
}

// Ack is that of source.Reader: requests get their answer.
func (r *Reader) Ack(run *source.Run) error {
	r.inlet.Ack(run)
	return nil
}

// Status is that of source.Reader.
func (r *Reader) Status() source.Status {
	_, pending := r.inlet.Number()
	return source.Status{Open: r.tcp.Open(), Lag: pending}
}

// Stop takes no further request and lets those that run end; Next then ends
// with io.EOF.
func (r *Reader) Stop() {
	r.end.Do(func() {
		go func() {
			defer close(r.ended)
			ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
			defer cancel()
			if r.server.Shutdown(ctx) != nil {
				_ = r.server.Close()
			}
			_ = r.tcp.Close() // if it was never served
			r.inlet.Stop()
		}()
	})
}

// Close is that of source.Reader. Requests that wait are answered with 503.
func (r *Reader) Close() error {
	r.inlet.Close()
	r.Stop()
	<-r.ended
	return nil
}
