//go:build faults && linux

package faults_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kafka is a cluster of Apache Kafka brokers on loopback.
type kafka struct {
	brokers []*part
	ports   []int // of the brokers' listeners
}

func (k *kafka) addresses() string {
	var list []string
	for _, p := range k.ports {
		list = append(list, fmt.Sprintf(`"127.0.0.1:%d"`, p))
	}
	return strings.Join(list, ", ")
}

// startKafka formats n brokers, which are controllers too, and starts them. One
// that is not heard of for session counts as dead.
func startKafka(t *testing.T, dir string, n int, session time.Duration) *kafka {
	t.Helper()
	out, err := exec.Command("../scripts/kafka.sh").Output()
	if err != nil {
		t.Fatalf("Apache Kafka can't be had: %v", err)
	}
	libs := strings.TrimSpace(string(out)) + "/*"
	k := &kafka{}
	var voters []string
	controllers := make([]int, n)
	for i := range n {
		k.ports = append(k.ports, freePort(t))
		controllers[i] = freePort(t)
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", i+1, controllers[i]))
	}
	for i := range n {
		home := filepath.Join(dir, fmt.Sprint(i+1))
		if err := os.MkdirAll(home, 0o700); err != nil {
			t.Fatal(err)
		}
		properties := filepath.Join(home, "server.properties")
		if err := os.WriteFile(properties, []byte(brokerProperties(i+1, n, k.ports[i], controllers[i], voters, home, session)), 0o600); err != nil {
			t.Fatal(err)
		}
		format := java(libs, "kafka.tools.StorageTool", "format", "-t", "mD2nUy1KRTWjVfTzxnK6dg", "-c", properties)
		if out, err := format.CombinedOutput(); err != nil {
			t.Fatalf("failed to format a broker: %v\n%s", err, out)
		}
		p := newPart(t, fmt.Sprintf("broker %d", i+1), func() *exec.Cmd { return java(libs, "kafka.Kafka", properties) })
		p.broker = true
		p.start()
		k.brokers = append(k.brokers, p)
	}
	for _, port := range k.ports {
		deadline := time.Now().Add(3 * time.Minute)
		for {
			c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
			if err == nil {
				_ = c.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("Apache Kafka does not start")
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	return k
}

func java(libs, class string, args ...string) *exec.Cmd {
	return exec.Command("java", append([]string{"-XX:+UseSerialGC", "-Xmx256m", "-cp", libs, class}, args...)...)
}

func brokerProperties(id, n, port, controller int, voters []string, home string, session time.Duration) string {
	replicas, insync := n, max(1, n-1)
	return fmt.Sprintf(`process.roles=broker,controller
node.id=%d
controller.quorum.voters=%s
listeners=CLIENT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
log.dirs=%s/data
default.replication.factor=%d
min.insync.replicas=%d
offsets.topic.replication.factor=%d
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=%d
transaction.state.log.min.isr=%d
transaction.state.log.num.partitions=8
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=%d
`, id, strings.Join(voters, ","), port, controller, home, replicas, insync, replicas, replicas, insync, session.Milliseconds())
}
