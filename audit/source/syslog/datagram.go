package syslog

import (
	"errors"
	"net"
	"os"

	"github.com/tallystick/tallystick/audit/source"
)

// receiveBuffer is what the kernel is asked to hold for a datagram listener; it
// may grant less.
const receiveBuffer = 8 << 20

// maxDatagram is the largest payload of UDP.
const maxDatagram = 65507

func listenUDP(address string) (*net.UDPConn, error) {
	a, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	c, err := net.ListenUDP("udp", a)
	if err != nil {
		return nil, err
	}
	_ = c.SetReadBuffer(receiveBuffer)
	_ = countOverflow(c) // where the kernel can't tell, only what is dropped here is known
	return c, nil
}

// serveUDP takes datagrams until the last deadline. It never waits: what the
// kernel has no room for it counts, but nobody would know what it was.
func (r *Reader) serveUDP() {
	buf, oob := make([]byte, maxDatagram), make([]byte, 64)
	var overflowed uint32
	for {
		n, k, _, _, err := r.udp.ReadMsgUDPAddrPort(buf, oob)
		if total, ok := overflow(oob[:k]); ok && total != overflowed {
			r.lose("kernel_dropped", uint64(total-overflowed))
			overflowed = total
		}
		switch {
		case err == nil:
			r.datagram(buf[:n])
		case r.ended(), errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
		default: // of one datagram
			r.deps.Count("read_failed", 1)
		}
	}
}

func (r *Reader) datagram(b []byte) {
	b = trim(b)
	switch {
	case len(b) == 0:
		r.deps.Count("empty", 1)
	case r.inlet.Offer(b, len(b)):
		r.deps.Count("udp", 1)
	default:
		r.lose("dropped", 1)
	}
}

// lose counts datagrams that came and for which there was no room.
func (r *Reader) lose(outcome string, n uint64) {
	r.deps.Count(outcome, int(n))
	at, _ := r.inlet.Number()
	r.losses.Add(source.Gap{Kind: source.GapDropped, Source: r.name, Stream: r.inlet.Stream(), Offset: at, Lines: n, Seen: r.deps.Clock().UTC()})
}
