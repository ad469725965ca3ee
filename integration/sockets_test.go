//go:build integration && linux

package integration_test

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
)

// socket is a TCP socket's two ends; the remote end of a listener is zero.
type socket struct{ local, remote net.IP }

// peers lists the TCP sockets of a process from /proc.
func peers(t *testing.T, pid int) []socket {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d", pid)
	fds, err := os.ReadDir(dir + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]bool{}
	for _, fd := range fds {
		if to, err := os.Readlink(dir + "/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, "socket:[") {
			own[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
		}
	}
	var out []socket
	for _, file := range []string{"tcp", "tcp6"} {
		if _, err := os.Stat(dir + "/net/" + file); err != nil {
			continue
		}
		eachLine(t, dir+"/net/"+file, func(line string) {
			// sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
			f := strings.Fields(line)
			if len(f) > 9 && own[f[9]] {
				out = append(out, socket{address(t, f[1]), address(t, f[2])})
			}
		})
	}
	return out
}

// address reads HEX:PORT, in which each four bytes are in the machine's order.
func address(t *testing.T, s string) net.IP {
	t.Helper()
	digits, _, _ := strings.Cut(s, ":")
	ip, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	for word := range slices.Chunk(ip, 4) {
		slices.Reverse(word)
	}
	return ip
}
