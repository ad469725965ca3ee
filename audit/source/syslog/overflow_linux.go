package syslog

import (
	"encoding/binary"
	"net"

	"golang.org/x/sys/unix"
)

// countOverflow makes the kernel say, with each datagram, how many it has
// dropped at this socket so far (SO_RXQ_OVFL of socket(7)).
func countOverflow(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	if err := raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1) }); err != nil {
		return err
	}
	return set
}

// overflow reads that number from the control data of a datagram. The kernel
// sends none before the first loss.
func overflow(oob []byte) (uint32, bool) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, false
	}
	for _, m := range msgs {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_RXQ_OVFL && len(m.Data) >= 4 {
			return binary.NativeEndian.Uint32(m.Data), true
		}
	}
	return 0, false
}
