package als

import (
	"context"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/push"
)

// Counters are what an Envoy says of itself.
type Counters = counters

// Ask reads the counters at an address.
func Ask(ctx context.Context, address string, prefixes []string) (Counters, error) {
	return newStats(prefixes).ask(ctx, address)
}

// HTTPLine and TCPLine are the lines of entries.
func HTTPLine(e *accesslogv3.HTTPAccessLogEntry) string { return string(newWriter().http(e)) }

func TCPLine(e *accesslogv3.TCPAccessLogEntry) string { return string(newWriter().tcp(e)) }

// Watch is what is remembered between two looks.
type Watch = watch

// Look compares once.
func (r *Reader) Look(ctx context.Context, w *Watch) error { return r.look(ctx, w) }

// Put takes a line as if an entry had come.
func (r *Reader) Put(ctx context.Context, end bool) error {
	k := other
	if end {
		k = endHTTP
	}
	return r.put(ctx, []byte("{}"), k)
}

// Inlet and Hand are the two halves of Next.
func (r *Reader) Inlet() *push.Inlet { return r.inlet }

func (r *Reader) Hand(run *source.Run) { r.hand(run) }

// Full reports whether there is no room.
func (r *Reader) Full() bool { return r.inlet.Full() }

// Kill ends the Reader without a word, as the end of its process does.
func (r *Reader) Kill() {
	r.inlet.Close()
	r.server.Stop()
	_ = r.listener.Close()
	r.stats.client.CloseIdleConnections()
}
