//go:build !linux

package syslog

import (
	"errors"
	"net"
)

// countOverflow: only Linux tells.
func countOverflow(*net.UDPConn) error { return errors.ErrUnsupported }

func overflow([]byte) (uint32, bool) { return 0, false }
