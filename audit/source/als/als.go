// Package als is an Access Log Service, version 3: Envoys stream the entries of
// their HTTP and TCP access logs to it over gRPC.
//
// Each entry becomes one line of JSON, the format envoy:als. The protocol has no
// acknowledgement: Envoy forgets an entry when it has written it to the
// connection, and counts it as sent even when nobody takes it. What can be done
// is to hold a stream by flow control while there is no room, and to compare
// what came with Envoy's own counts of requests and connections, which its admin
// interface shows. What is missing becomes a gap with its number.
//
// Nothing is sealed or sent here; services/tap is the only caller.
package als

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	accesslogservice "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/push"
)

// Limits and times that hold unless Config says otherwise.
const (
	DefaultMaxMessage = 4 << 20
	DefaultPoll       = 5 * time.Second
	DefaultSettle     = 10 * time.Second
	DefaultPatience   = time.Minute
)

// Config says where entries are taken and what they are compared with.
type Config struct {
	// Source is the name of the source in tallystick.yaml. Required.
	Source string
	// Listen is host:port. Required.
	Listen string
	// TLS protects the listener; nil for none.
	TLS *tls.Config
	// MaxMessage bounds a message of a stream, bytes. Default 4 MiB.
	MaxMessage int
	// MaxConnections bounds connections; others are closed at once. Default 1000.
	MaxConnections int

	// Admin are the admin interfaces, or their /stats/prometheus, of all Envoys
	// that send here. None: losses stay unknown.
	Admin []string
	// Prefixes are the stat_prefix of the connection managers and TCP proxies
	// that log here. None: those of all connection managers and of no TCP proxy.
	Prefixes []string
	// Book is the file that keeps what was counted over a restart. Empty: none.
	Book string
	// Durable says behind which number the lines of a stream are durable, and
	// whether that is final. It is asked about lines that were on their way when
	// an earlier start was killed. Nil: they count as durable.
	Durable func(ctx context.Context, stream string) (until uint64, final bool, err error)
	// Poll is how often Envoys are asked. Default 5 s.
	Poll time.Duration
	// Settle is how long an entry may be on its way: more than the
	// buffer_flush_interval of Envoy. Default 10 s.
	Settle time.Duration
	// Patience is for how long entries surely have to be missing before that is
	// told although others are coming. Default 1 min.
	Patience time.Duration
}

// Reader is the service. Next and Close belong to one goroutine; Ack and Status
// may be called from others.
type Reader struct {
	cfg      Config
	deps     source.Deps
	inlet    *push.Inlet
	listener *push.Listener
	server   *grpc.Server
	stats    *stats

	start   sync.Once
	stop    context.CancelFunc // of comparing; set by the first Next
	running sync.WaitGroup

	turn    chan struct{} // held while a line is put, so that kinds follow numbers
	open    atomic.Int64  // streams
	problem atomic.Pointer[error]

	mu    sync.Mutex
	kinds []kind // of lines that Next has not handed out; guarded by mu
	book  *book  // guarded by mu
}

var _ source.Reader = (*Reader)(nil)

// kind is what a line tells.
type kind uint8

const (
	other kind = iota // an intermediate entry
	endHTTP
	endTCP
)

// Open listens; entries are taken from the first Next on.
func Open(cfg Config, deps source.Deps) (*Reader, error) {
	if cfg.Source == "" || cfg.Listen == "" {
		return nil, errors.New("an als source needs a name and an address")
	}
	setDefault(&cfg.MaxMessage, DefaultMaxMessage)
	setDefault(&cfg.MaxConnections, source.DefaultConnections)
	setDefault(&cfg.Poll, DefaultPoll)
	setDefault(&cfg.Settle, DefaultSettle)
	setDefault(&cfg.Patience, DefaultPatience)
	r := &Reader{
		cfg: cfg, deps: deps, stats: newStats(cfg.Prefixes), turn: make(chan struct{}, 1),
		inlet: push.New(push.Config{Source: cfg.Source, Listener: "als"}, deps),
	}
	var err error
	if r.book, err = loadBook(cfg.Book); err != nil {
		return nil, err
	}
	r.book.begin(r.inlet.Stream())
	if r.listener, err = push.Listen(cfg.Listen, cfg.MaxConnections, deps); err != nil {
		return nil, err
	}
	r.server = r.newServer()
	return r, nil
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// newServer makes the server. Its windows are fixed, so that what a connection
// holds while there is no room is bounded.
func (r *Reader) newServer() *grpc.Server {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(r.cfg.MaxMessage), grpc.MaxConcurrentStreams(100), grpc.ConnectionTimeout(10 * time.Second),
		grpc.InitialWindowSize(256 << 10), grpc.InitialConnWindowSize(1 << 20), grpc.WaitForHandlers(true),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	}
	if r.cfg.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(r.cfg.TLS)))
	}
	s := grpc.NewServer(options...)
	accesslogservice.RegisterAccessLogServiceServer(s, &service{r: r})
	return s
}

// Addr is the address that is listened on.
func (r *Reader) Addr() string { return r.listener.Addr().String() }

// Next waits for entries. The first call begins to serve.
func (r *Reader) Next(ctx context.Context) (*source.Run, error) {
	r.start.Do(r.serve)
	run, err := r.inlet.Next(ctx)
	if err == nil {
		r.hand(run)
	}
	return run, err
}

func (r *Reader) serve() {
	r.running.Go(func() { _ = r.server.Serve(r.listener) }) // fails only when it is stopped
	if len(r.cfg.Admin) == 0 {
		return
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	r.running.Go(func() { r.compare(ctx) })
}

// put takes a line of a kind.
func (r *Reader) put(ctx context.Context, b []byte, k kind) error {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.turn }()
	r.mu.Lock()
	r.kinds = append(r.kinds, k)
	r.mu.Unlock()
	_, err := r.inlet.Put(ctx, b, len(b))
	if err != nil {
		r.mu.Lock()
		r.kinds = r.kinds[:len(r.kinds)-1]
		r.mu.Unlock()
	}
	return err
}

// hand notes what a Run holds that goes out.
func (r *Reader) hand(run *source.Run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := handed{Until: run.Next, Ends: endsOf(r.kinds[:len(run.Lines)])}
	r.kinds = append(r.kinds[:0], r.kinds[len(run.Lines):]...)
	r.book.hand(h)
	if err := r.save(); err != nil {
		r.deps.Logger.Warn("what was counted of entries can't be kept: a comparison after a restart may be wrong", "source", r.cfg.Source, "error", err)
	}
}

func endsOf(kinds []kind) (e ends) {
	for _, k := range kinds {
		switch k {
		case endHTTP:
			e.HTTP++
		case endTCP:
			e.TCP++
		}
	}
	return e
}

// Ack notes that a Run is durable.
func (r *Reader) Ack(run *source.Run) error {
	r.inlet.Ack(run)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.book.acknowledge()
	return r.save()
}

// save keeps the book if there is something to compare. Mu is held.
func (r *Reader) save() error {
	if r.cfg.Book == "" || len(r.cfg.Admin) == 0 {
		return nil
	}
	return r.book.save(r.cfg.Book)
}

// Status is how the service fares: Open counts streams.
func (r *Reader) Status() source.Status {
	_, waiting := r.inlet.Number()
	s := source.Status{Open: int(r.open.Load()), Lag: waiting}
	if p := r.problem.Load(); p != nil {
		s.Problems = []source.Problem{{Path: r.Addr(), Err: *p}}
	}
	return s
}

// Compared reports whether entries of earlier starts are compared with Envoy's
// counters: what those starts lost is told with its number then.
func (r *Reader) Compared() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.cfg.Admin) > 0 && len(r.book.Envoys) > 0
}

// Stop takes nothing more: Next hands out what is left, then io.EOF.
func (r *Reader) Stop() { r.inlet.Stop() }

// Close ends all streams. What was not acknowledged is lost unless it is
// durable already, which the next start finds out.
func (r *Reader) Close() error {
	r.start.Do(func() {})
	r.inlet.Close()
	if r.stop != nil {
		r.stop()
	}
	r.server.Stop()
	_ = r.listener.Close() // the server has closed it if it served
	r.running.Wait()
	r.stats.client.CloseIdleConnections()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.save()
}
