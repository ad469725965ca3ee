package syslog_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/push/pushtest"
	"github.com/tallystick/tallystick/audit/source/syslog"
	"github.com/tallystick/tallystick/internal/text"
)

const message = "<190>Nov 21 10:00:00 web nginx: 192.0.2.1 - - "

func open(t *testing.T, s *pushtest.Sink, cfg source.Syslog) *syslog.Reader {
	t.Helper()
	c := source.Config{Name: "shop", Format: "nginx:combined", Syslog: &cfg}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	r, err := syslog.Open("shop", cfg, s.Deps())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func dial(t *testing.T, r *syslog.Reader, network string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, r.Addr(network).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func send(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
}

func TestUDPAndTCP(t *testing.T) {
	s := pushtest.NewSink(t)
	r := open(t, s, source.Syslog{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0"})
	stop := s.Drive(r)
	arrived := func(n int) {
		t.Helper()
		s.Eventually(fmt.Sprint(n, " lines"), func() bool { return len(s.Lines()) == n })
	}
	udp := dial(t, r, "udp")
	send(t, udp, message+"udp\n")
	send(t, udp, "\n")
	arrived(1)
	lines := dial(t, r, "tcp")
	send(t, lines, message+"line\r\n\n")
	arrived(2)
	counted := dial(t, r, "tcp")
	for _, m := range []string{message + "counted\nin two", message + "again"} {
		send(t, counted, fmt.Sprint(len(m), " ", m))
	}
	arrived(4)
	s.Eventually("two streams", func() bool { return r.Status().Open == 2 })
	stop()
	want := []string{message + "udp", message + "line", message + "counted\nin two", message + "again"}
	if d := cmp.Diff(s.Lines(), want); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
	if s.Outcome("udp") != 1 || s.Outcome("tcp") != 3 || s.Outcome("empty") != 1 || len(s.Gaps()) != 0 {
		t.Errorf("udp %d, tcp %d, empty %d, gaps %v", s.Outcome("udp"), s.Outcome("tcp"), s.Outcome("empty"), s.Gaps())
	}
}

func TestTLS(t *testing.T) {
	ca := pushtest.NewAuthority(t)
	for _, tc := range []struct {
		name           string
		mutual, shown  bool
		clear, refused bool
	}{
		{name: "server's certificate alone"},
		{name: "mutual", mutual: true, shown: true},
		{name: "no certificate shown", mutual: true, refused: true},
		{name: "in clear", clear: true, refused: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := pushtest.NewSink(t)
			r := open(t, s, source.Syslog{TCP: "127.0.0.1:0", TLS: ca.Server(tc.mutual)})
			stop := s.Drive(r)
			c := dial(t, r, "tcp")
			if !tc.clear {
				config := ca.Client(tc.shown)
				config.ServerName = "127.0.0.1"
				c = tls.Client(c, config)
			}
			m := message + "canary"
			_, _ = fmt.Fprintf(c, "%d %s", len(m), m)
			if tc.refused {
				s.Eventually("refused", func() bool { return s.Outcome("handshake_failed") == 1 })
			} else {
				s.Eventually("a line", func() bool { return len(s.Lines()) == 1 })
			}
			stop()
			if tc.refused && len(s.Lines()) != 0 || strings.Contains(s.Log(), "canary") {
				t.Errorf("%d lines; log: %s", len(s.Lines()), s.Log())
			}
		})
	}
}

// A renewed certificate is shown to the next sender.
func TestCertificateIsRenewed(t *testing.T) {
	ca := pushtest.NewAuthority(t)
	s := pushtest.NewSink(t)
	r := open(t, s, source.Syslog{TCP: "127.0.0.1:0", TLS: ca.Server(false)})
	s.Drive(r)
	serial := func() string {
		config := ca.Client(false)
		c, err := tls.Dial("tcp", r.Addr("tcp").String(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	old := serial()
	files := ca.Server(false)
	if err := os.Chtimes(files.CertFile, time.Now(), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if serial() == old {
		t.Error("the old certificate is shown")
	}
}

func TestLimits(t *testing.T) {
	s := pushtest.NewSink(t)
	r := open(t, s, source.Syslog{TCP: "127.0.0.1:0", MaxConnections: 2, IdleTimeout: time.Second})
	stop := s.Drive(r)
	first := dial(t, r, "tcp")
	send(t, first, "4 <1>a999999999 <2>b")
	s.Eventually("closed for its framing", func() bool { return s.Outcome("bad_framing") == 1 && r.Status().Open == 0 })
	long := dial(t, r, "tcp")
	send(t, long, "<1>"+strings.Repeat("x", source.MaxLine)+"\n<1>short\n")
	dial(t, r, "tcp")
	s.Eventually("two are open", func() bool { return r.Status().Open == 2 })
	dial(t, r, "tcp")
	s.Eventually("a third is refused", func() bool { return s.Outcome("too_many_connections") == 1 })
	s.Eventually("idle ones are closed", func() bool { return s.Outcome("idle") == 2 && r.Status().Open == 0 })
	stop()
	got := s.Lines()
	if len(got) != 3 || got[0] != "<1>a" || !strings.HasSuffix(got[1], "x[cut]") || got[2] != "<1>short" {
		t.Errorf("%d lines", len(got))
	}
	if g := s.Gaps(); len(g) != 1 || g[0].Kind != source.GapCorrupt || g[0].Offset != 1 {
		t.Errorf("gaps %+v", g)
	}
	if strings.Contains(s.Log(), "xxx") || strings.Contains(s.Log(), "<2>b") {
		t.Error("the log shows a message")
	}
}

// While nothing is taken on, datagrams are dropped and counted to the last one,
// and streams are left unread: their messages come later.
func TestFull(t *testing.T) {
	s := pushtest.NewSink(t)
	r := open(t, s, source.Syslog{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0"})
	s.Hold(true)
	stop := s.Drive(r)
	udp, tcp := dial(t, r, "udp"), dial(t, r, "tcp")
	m := message + strings.Repeat("y", 50_000)
	sent := 0
	s.Eventually("full", func() bool {
		send(t, udp, m)
		sent++
		return s.Outcome("dropped") >= 3
	})
	const streamed = 200
	wrote := make(chan error, 1)
	go func() {
		_, err := tcp.Write([]byte(strings.Repeat(m+"\n", streamed)))
		wrote <- err
	}()
	s.Eventually("all datagrams are seen", func() bool { return s.Outcome("udp")+s.Outcome("dropped")+s.Outcome("kernel_dropped") == sent })
	taken := s.Outcome("udp")
	s.Hold(false)
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	s.Eventually("the stream is read", func() bool { return len(s.Lines()) == taken+streamed })
	stop()
	var lost uint64
	for _, g := range s.Gaps() {
		if g.Kind != source.GapDropped || g.Source != "shop" || g.Stream == "" {
			t.Errorf("gap %+v", g)
		}
		lost += g.Lines
	}
	if lost != uint64(sent-taken) || len(s.Gaps()) != 1 {
		t.Errorf("%d datagrams are told as lost in %d gaps, %d are", lost, len(s.Gaps()), sent-taken)
	}
}

// What has arrived when the tap stops is still taken.
func TestStopTakesWhatArrived(t *testing.T) {
	s := pushtest.NewSink(t)
	r := open(t, s, source.Syslog{TCP: "127.0.0.1:0", UDP: "127.0.0.1:0"})
	tcp := dial(t, r, "tcp")
	send(t, tcp, strings.Repeat(message+"\n", 1000))
	stop := s.Drive(r)
	s.Eventually("the stream is open", func() bool { return r.Status().Open == 1 && len(s.Lines()) > 0 })
	send(t, tcp, strings.Repeat(message+"\n", 1000))
	stop()
	if n := len(s.Lines()); n != 2000 {
		t.Errorf("%d lines of 2000", n)
	}
}

func TestAddressInUse(t *testing.T) {
	s := pushtest.NewSink(t)
	r := open(t, s, source.Syslog{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0"})
	defer func() { _ = r.Close() }()
	for _, cfg := range []source.Syslog{{UDP: r.Addr("udp").String()}, {TCP: r.Addr("tcp").String()}} {
		if _, err := syslog.Open("b", cfg, s.Deps()); err == nil || !strings.Contains(text.HintOf(err), "free port") {
			t.Errorf("got %v", err)
		}
	}
}
