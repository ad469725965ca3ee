package syslog_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/push/pushtest"
	"github.com/tallystick/tallystick/audit/source/syslog"
)

// Messages of 200 bytes over one TCP stream, into Runs.
func BenchmarkTCP(b *testing.B) {
	for _, framing := range []string{"lines", "counted"} {
		b.Run(framing, func(b *testing.B) {
			const each = 1000
			m := message + strings.Repeat("x", 200-len(message))
			one := m + "\n"
			if framing == "counted" {
				one = fmt.Sprint(len(m), " ", m)
			}
			block := []byte(strings.Repeat(one, each))
			deps := pushtest.NewSink(b).Deps()
			deps.Count = func(string, int) {}
			r, err := syslog.Open("shop", source.Syslog{TCP: "127.0.0.1:0", MaxConnections: 1, IdleTimeout: time.Hour}, deps)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			c, err := net.Dial("tcp", r.Addr("tcp").String())
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			b.SetBytes(int64(len(m)))
			b.ReportAllocs()
			b.ResetTimer()
			go func() {
				for range (b.N + each - 1) / each {
					if _, err := c.Write(block); err != nil {
						return
					}
				}
			}()
			for n := 0; n < b.N; {
				run, err := r.Next(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				n += len(run.Lines)
				_ = r.Ack(run)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
