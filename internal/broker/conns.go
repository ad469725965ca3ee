package broker

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// conns are the open connections of one reader, so that they can be cut. The zero
// value is ready for use.
type conns struct {
	dialer net.Dialer
	tls    *tls.Config // nil: without

	mu   sync.Mutex
	open map[*conn]struct{} // guarded by mu
	over bool               // guarded by mu
}

// conn is a connection that is forgotten when it is closed.
type conn struct {
	net.Conn
	of *conns
}

// dial makes a connection, with TLS if that is asked for, through a sieve.
func (c *conns) dial(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := c.keep(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if c.tls == nil {
		return newSieve(raw), nil
	}
	cfg := c.tls
	if cfg.ServerName == "" {
		cfg = cfg.Clone()
		if cfg.ServerName, _, err = net.SplitHostPort(address); err != nil {
			_ = raw.Close()
			return nil, err
		}
	}
	secured := tls.Client(raw, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return newSieve(secured), nil
}

// keep makes a connection that cut will close.
func (c *conns) keep(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := c.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		_ = raw.Close()
		return nil, net.ErrClosed
	}
	if c.open == nil {
		c.open = map[*conn]struct{}{}
	}
	n := &conn{raw, c}
	c.open[n] = struct{}{}
	return n, nil
}

func (n *conn) Close() error {
	n.of.mu.Lock()
	delete(n.of.open, n)
	n.of.mu.Unlock()
	return n.Conn.Close()
}

// cut closes all connections and lets none be made any more.
func (c *conns) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	for n := range c.open {
		_ = n.Conn.Close()
	}
	clear(c.open)
}
