package broker

import (
	"context"
	"net"
	"sync"
)

// conns are the open connections of one reader, so that they can be cut. The zero
// value is ready for use.
type conns struct {
	dialer net.Dialer

	mu   sync.Mutex
	open map[*conn]struct{} // guarded by mu
	over bool               // guarded by mu
}

// conn is a connection that is forgotten when it is closed.
type conn struct {
	net.Conn
	of *conns
}

func (c *conns) dial(ctx context.Context, network, address string) (net.Conn, error) {
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
