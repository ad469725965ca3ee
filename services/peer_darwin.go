package services

import "golang.org/x/sys/unix"

// peerUID is the user id at the other end of a Unix socket, -1 if unknown.
func peerUID(fd int) int {
	c, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return -1
	}
	return int(c.Uid)
}
