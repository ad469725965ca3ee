// Package syslog listens for syslog messages: RFC 3164 and RFC 5424 over UDP
// (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425).
//
// A line is the whole message with its syslog header; the parser of the format
// skips that, as it does for a message in a file. Syslog has no
// acknowledgement: a full TCP stream is left unread, a datagram for which there
// is no room is lost and counted. services/tap opens a Reader.
package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/push"
)

const (
	handshakeTimeout = 10 * time.Second
	// lastRead is how long a stopped listener goes on to read what has already
	// arrived at the machine.
	lastRead = 250 * time.Millisecond
)

// Reader is a source.Reader of one source's listeners.
type Reader struct {
	name   string
	cfg    source.Syslog
	deps   source.Deps
	tls    *tls.Config // nil: streams are not protected
	udp    *net.UDPConn
	tcp    *push.Listener
	inlet  *push.Inlet
	losses *push.Losses

	begin    sync.Once
	end      sync.Once
	serving  sync.WaitGroup
	stopping chan struct{}

	mu      sync.Mutex
	streams map[net.Conn]struct{} // nil once stopped
}

var _ source.Reader = (*Reader)(nil)

// Open opens the listeners and starts nothing; senders wait until the first
// Next.
func Open(name string, cfg source.Syslog, deps source.Deps) (_ *Reader, err error) {
	r := &Reader{name: name, cfg: cfg, deps: deps, streams: map[net.Conn]struct{}{}, stopping: make(chan struct{})}
	r.inlet = push.New(push.Config{Source: name, Listener: "syslog"}, deps)
	r.losses = push.NewLosses(deps.Gap)
	defer func() {
		if err != nil {
			_ = r.Close()
		}
	}()
	if r.tls, err = push.TLS(cfg.TLS); err != nil {
		return nil, err
	}
	if cfg.UDP != "" {
		if r.udp, err = listenUDP(cfg.UDP); err != nil {
			return nil, push.Bind("UDP", cfg.UDP, err)
		}
	}
	if cfg.TCP != "" {
		if r.tcp, err = push.Listen(cfg.TCP, cfg.MaxConnections, deps); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Addr is the address of the listener for udp or tcp, nil if there is none.
func (r *Reader) Addr(network string) net.Addr {
	switch {
	case network == "udp" && r.udp != nil:
		return r.udp.LocalAddr()
	case network == "tcp" && r.tcp != nil:
		return r.tcp.Addr()
	}
	return nil
}

// Next is that of source.Reader. The first call begins to serve.
func (r *Reader) Next(ctx context.Context) (*source.Run, error) {
	r.begin.Do(func() {
		if r.udp != nil {
			r.serving.Go(r.serveUDP)
		}
		if r.tcp != nil {
			r.serving.Go(r.serveTCP)
		}
	})
	return r.inlet.Next(ctx)
}

// Ack is that of source.Reader.
func (r *Reader) Ack(run *source.Run) error {
	r.inlet.Ack(run)
	return nil
}

// Status is that of source.Reader.
func (r *Reader) Status() source.Status {
	_, pending := r.inlet.Number()
	s := source.Status{Lag: pending}
	if r.tcp != nil {
		s.Open = r.tcp.Open()
	}
	return s
}

// Stop takes no further connection and reads what has arrived; Next then ends
// with io.EOF.
func (r *Reader) Stop() {
	r.end.Do(func() {
		close(r.stopping)
		if r.tcp != nil {
			_ = r.tcp.Close()
		}
		last := time.Now().Add(lastRead)
		if r.udp != nil {
			_ = r.udp.SetReadDeadline(last)
		}
		r.mu.Lock()
		for c := range r.streams {
			_ = c.SetReadDeadline(last)
		}
		r.streams = nil
		r.mu.Unlock()
		go func() {
			r.serving.Wait()
			r.inlet.Stop()
		}()
	})
}

// Close is that of source.Reader. What was not taken is lost: senders are not
// told.
func (r *Reader) Close() error {
	r.Stop()
	r.inlet.Close()
	r.serving.Wait()
	var err error
	if r.udp != nil {
		err = r.udp.Close()
	}
	r.losses.Tell()
	return err
}

// ended reports whether a failure of a read is how Stop ends it.
func (r *Reader) ended() bool {
	select {
	case <-r.stopping:
		return true
	default:
		return false
	}
}

func (r *Reader) serveTCP() {
	for {
		c, err := r.tcp.Accept()
		if err != nil {
			if r.ended() || errors.Is(err, net.ErrClosed) {
				return
			}
			r.deps.Count("accept_failed", 1) // too many files, say
			select {
			case <-r.stopping:
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		r.mu.Lock()
		open := r.streams != nil
		if open {
			r.streams[c] = struct{}{}
		}
		r.mu.Unlock()
		if !open {
			_ = c.Close()
			return
		}
		r.serving.Go(func() { r.stream(c) })
	}
}

// stream takes the messages of one connection until it ends.
func (r *Reader) stream(c net.Conn) {
	defer func() {
		r.mu.Lock()
		delete(r.streams, c)
		r.mu.Unlock()
		_ = c.Close()
	}()
	in := io.Reader(&idle{Conn: c, r: r})
	if r.tls != nil {
		t := tls.Server(c, r.tls)
		ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
		err := t.HandshakeContext(ctx)
		cancel()
		if err != nil {
			r.deps.Count("handshake_failed", 1)
			r.deps.Logger.Warn("a sender of syslog is refused", "source", r.name, "peer", c.RemoteAddr().String(), "error", err)
			return
		}
		in = &idle{Conn: t, r: r}
	}
	f := newFrames(in)
	for {
		frame, length, err := f.next()
		switch {
		case err == nil && length == 0: // between frames, or to keep the connection
			continue
		case err == nil:
			if _, err := r.inlet.Put(context.Background(), frame, length); err != nil {
				return
			}
			r.deps.Count("tcp", 1)
			continue
		case errors.Is(err, errFraming):
			r.deps.Count("bad_framing", 1)
			r.deps.Logger.Warn("a stream of syslog is closed", "source", r.name, "peer", c.RemoteAddr().String(), "error", err,
				"hint", "send octet-counted frames or one message a line")
			n, _ := r.inlet.Number()
			r.losses.Add(source.Gap{Kind: source.GapCorrupt, Source: r.name, Stream: r.inlet.Stream(), Offset: n, Lines: 1, Seen: r.deps.Clock().UTC()})
		case errors.Is(err, os.ErrDeadlineExceeded) && !r.ended():
			r.deps.Count("idle", 1)
		}
		return
	}
}

// idle ends a connection that brings nothing for too long.
type idle struct {
	net.Conn
	r *Reader
}

func (i *idle) Read(b []byte) (int, error) {
	i.r.mu.Lock()
	if i.r.streams != nil { // else Stop has set the last deadline
		_ = i.SetReadDeadline(time.Now().Add(i.r.cfg.IdleTimeout))
	}
	i.r.mu.Unlock()
	return i.Conn.Read(b)
}
