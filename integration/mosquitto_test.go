//go:build integration && linux

package integration_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const mosquittoConf = `listener %[2]s 127.0.0.1
allow_anonymous false
password_file %[1]s/passwords
acl_file %[1]s/acl
persistence false
max_queued_messages 100000
log_dest file %[1]s/mosquitto.log
log_type all
connection_messages true
log_timestamp true
log_timestamp_format %%Y-%%m-%%dT%%H:%%M:%%S
`

const mosquittoACL = `user sensor
topic write sensors/#
user reader
topic read sensors/#
`

// mosquitto is a broker with a subscriber, to which it delivers what may be
// published.
type mosquitto struct {
	*process
	dir, port string
	received  transcript // of the subscriber
	published atomic.Int64
	delivered int64 // expected so far
}

func TestMosquitto(t *testing.T) {
	t.Parallel()
	m, tl := startMosquitto(t)
	s := follow(t, m, tl)
	if n := s.number("SELECT countIf(principal_id != '' OR device_id = '') FROM entries WHERE operation = 'PUBLISH'"); n != 0 {
		t.Errorf("%d publications name a user, which the log doesn't, or no device", n)
	}
}

func startMosquitto(t *testing.T) (*mosquitto, tailed) {
	t.Helper()
	path, passwd := program(t, "mosquitto"), program(t, "mosquitto_passwd")
	program(t, "mosquitto_pub")
	addr := freeAddr(t)
	m := &mosquitto{dir: folder(t, "mosquitto"), port: addr[strings.LastIndexByte(addr, ':')+1:]}
	conf := writeFile(t, filepath.Join(m.dir, "mosquitto.conf"), mosquittoConf, m.dir, m.port)
	writeFile(t, filepath.Join(m.dir, "acl"), mosquittoACL)
	passwords := writeFile(t, filepath.Join(m.dir, "passwords"), "sensor:secret\nreader:secret\n")
	if out, err := exec.Command(passwd, "-U", passwords).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v\n%s", err, out)
	}
	giveTo(t, "mosquitto", conf, passwords, filepath.Join(m.dir, "acl"))
	m.process = launch(t, m.dir, addr, nil, path, "-c", conf)
	m.subscribe()
	return m, tailed{
		source: "  format: mosquitto:log\n  timezone: " + localZone(t),
		came:   "concat(operation, ' ', outcome)", where: "operation IN ('PUBLISH', 'DELIVER')",
	}
}

func (m *mosquitto) client(name, user string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, append([]string{"-h", "127.0.0.1", "-p", m.port, "-u", user, "-P", "secret", "-q", "1"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	return cmd
}

func (m *mosquitto) subscribe() {
	m.t.Helper()
	cmd := m.client("mosquitto_sub", "reader", "-i", "reader", "-t", "sensors/#")
	cmd.Stdout = &m.received
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	poll(m.t, 10*time.Second, "a subscriber", func() bool {
		b, err := os.ReadFile(m.log())
		return err == nil && strings.Contains(string(b), "Sending SUBACK to reader")
	})
}

// send publishes to a topic that the client may write to and, less often, to
// one that it may not. Both are acknowledged.
func (m *mosquitto) send(n int) tally {
	denied := n / 10
	var wg sync.WaitGroup
	wg.Go(func() { m.publish("sensors/kitchen/temperature", n-denied, time.Millisecond) })
	wg.Go(func() { m.publish("payroll/all", denied, 10*time.Millisecond) })
	wg.Wait()
	m.delivered += int64(n - denied)
	for late := time.After(20 * time.Second); ; {
		if got := int64(strings.Count(m.received.String(), "\n")); got == m.delivered {
			break
		}
		select {
		case <-late:
			m.t.Errorf("the subscriber got %d messages of %d", strings.Count(m.received.String(), "\n"), m.delivered)
			return nil
		case <-time.After(10 * time.Millisecond):
		}
	}
	return tally{"PUBLISH allowed": int64(n - denied), "PUBLISH denied": int64(denied), "DELIVER allowed": int64(n - denied)}
}

// publish sends a message for each line of mosquitto_pub's input and returns
// when that has ended.
func (m *mosquitto) publish(topic string, n int, every time.Duration) {
	cmd := m.client("mosquitto_pub", "sensor", "-i", "sensor-"+strings.ReplaceAll(topic, "/", "-"), "-t", topic, "-l")
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		m.t.Error(err)
		return
	}
	pace := time.NewTicker(every)
	defer pace.Stop()
	for k := range n {
		if _, err := io.WriteString(in, fmt.Sprintln(k)); err != nil {
			m.t.Errorf("mosquitto_pub ended: %v", err)
			break
		}
		m.published.Add(1)
		<-pace.C
	}
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		m.t.Errorf("mosquitto_pub: %v", err)
	}
}

func (m *mosquitto) answered() int64 { return m.published.Load() }

func (m *mosquitto) log() string { return filepath.Join(m.dir, "mosquitto.log") }

func (m *mosquitto) rotate() {
	renameLogs(m.t, m.log())
	m.signal(syscall.SIGHUP)
	appears(m.t, m.log())
}
