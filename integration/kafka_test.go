//go:build integration && linux

package integration_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
)

// kafkaBroker is an Apache Kafka of one broker, which is its own controller.
type kafkaBroker struct {
	*process
	dir, addr string
	libs      string
	options   []string // of Java
}

const kafkaProperties = `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@%[3]s
listeners=CLIENT://%[2]s,CONTROLLER://%[3]s
listener.security.protocol.map=CLIENT:%[4]s,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
log.dirs=%[1]s/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
%[5]s
`

// kafkaLogs is how Kafka is shipped to write its authorizer log, with renames
// by size instead of by the hour, and with what is allowed.
const kafkaLogs = `<Configuration status="WARN">
  <Appenders>
    <Console name="out"><PatternLayout pattern="[%%d] %%p %%m (%%c)%%n"/></Console>
    <RollingFile name="authorizer" fileName="%[1]s/kafka-authorizer.log" filePattern="%[1]s/kafka-authorizer.log.%%i">
      <PatternLayout pattern="[%%d] %%p %%m (%%c)%%n"/>
      <SizeBasedTriggeringPolicy size="400KB"/>
      <DefaultRolloverStrategy fileIndex="min" max="50"/>
    </RollingFile>
  </Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="out"/></Root>
    <Logger name="kafka.authorizer.logger" level="DEBUG" additivity="false"><AppenderRef ref="authorizer"/></Logger>
  </Loggers>
</Configuration>
`

// startKafka formats and starts a broker in a folder of its own.
func startKafka(t *testing.T, protocol, properties string, options ...string) *kafkaBroker {
	t.Helper()
	out, err := exec.Command("../scripts/kafka.sh").Output()
	if err != nil {
		missing(t, "Apache Kafka", err)
	}
	k := &kafkaBroker{dir: t.TempDir(), addr: freeAddr(t), libs: strings.TrimSpace(string(out)), options: options}
	writeFile(t, filepath.Join(k.dir, "server.properties"), kafkaProperties, k.dir, k.addr, freeAddr(t), protocol, properties)
	writeFile(t, filepath.Join(k.dir, "log4j2.xml"), kafkaLogs, k.dir)
	var id [16]byte
	_, _ = rand.Read(id[:])
	id[0] &= 0x7f // an id may not begin with a dash
	cmd := k.java("kafka.tools.StorageTool", "format", "-t", base64.RawURLEncoding.EncodeToString(id[:]), "-c", "server.properties")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("failed to format Kafka's folder: %v\n%s", err, out)
	}
	k.run(t)
	return k
}

func (k *kafkaBroker) java(args ...string) *exec.Cmd {
	options := append([]string{"-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.configurationFile=log4j2.xml", "-cp", k.libs + "/*"}, k.options...)
	cmd := exec.Command("java", append(options, args...)...)
	cmd.Dir = k.dir
	return cmd
}

// run starts the broker, for the first time or again.
func (k *kafkaBroker) run(t *testing.T) {
	t.Helper()
	cmd := k.java("kafka.Kafka", "server.properties")
	k.process = launch(t, k.dir, k.addr, nil, cmd.Path, cmd.Args[1:]...)
}

// kill ends the broker as a power failure would.
func (k *kafkaBroker) kill() {
	k.t.Helper()
	k.signal(syscall.SIGKILL)
	_ = k.cmd.Wait()
}

const kafkaUsers = `authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.client.sasl.enabled.mechanisms=PLAIN
listener.name.client.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="admin-secret" user_admin="admin-secret" user_agent14="agent14-secret";
`

// authorized is a client of a broker that writes an authorizer log, which
// Kafka's own logging rotates.
type authorized struct {
	*kafkaBroker
	client *kafka.Client
	seen   atomic.Int64
	early  tally // requests of prepare, until send has told of them
}

// kafkaZone is not that of the machine: the log has no zone.
const kafkaZone = "America/Sao_Paulo"

func TestKafkaAuthorizerLog(t *testing.T) {
	program(t, "java")
	t.Parallel()
	a, tl := startAuthorized(t)
	s := follow(t, a, tl)
	generations, err := filepath.Glob(a.log() + ".*")
	if err != nil || len(generations) < 3 {
		t.Errorf("Kafka rotated its log to %q: %v", generations, err)
	}
	if n := s.number("SELECT countIf(abs(dateDiff('second', event_time, ingest_time)) > 300) FROM entries"); n != 0 {
		t.Errorf("%d entries are not of the time at which they were read", n)
	}
}

func startAuthorized(t *testing.T) (*authorized, tailed) {
	t.Helper()
	a := &authorized{kafkaBroker: startKafka(t, "SASL_PLAINTEXT", kafkaUsers, "-Duser.timezone="+kafkaZone), early: tally{}}
	a.client = a.as("agent14")
	a.prepare(a.as("admin"))
	return a, tailed{
		source: "  format: kafka:authorizer\n  timezone: " + kafkaZone,
		came:   "concat(operation, ' ', outcome)", where: "operation = 'WRITE' AND resource_type = 'topic'",
	}
}

func (a *authorized) as(user string) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(a.addr), Timeout: 20 * time.Second, Transport: &kafka.Transport{SASL: plain.Mechanism{Username: user, Password: user + "-secret"}}}
}

// prepare makes a topic that agent14 may write to and one that it may see only.
func (a *authorized) prepare(admin *kafka.Client) {
	a.t.Helper()
	topics := &kafka.CreateTopicsRequest{}
	acls := &kafka.CreateACLsRequest{}
	for topic, operations := range map[string][]kafka.ACLOperationType{
		"orders": {kafka.ACLOperationTypeWrite, kafka.ACLOperationTypeDescribe}, "payroll": {kafka.ACLOperationTypeDescribe},
	} {
		topics.Topics = append(topics.Topics, kafka.TopicConfig{Topic: topic, NumPartitions: 1, ReplicationFactor: 1})
		for _, op := range operations {
			acls.ACLs = append(acls.ACLs, kafka.ACLEntry{
				ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ResourcePatternType: kafka.PatternTypeLiteral,
				Principal: "User:agent14", Host: "*", Operation: op, PermissionType: kafka.ACLPermissionTypeAllow,
			})
		}
	}
	poll(a.t, 60*time.Second, "Kafka makes topics", func() bool {
		r, err := admin.CreateTopics(a.t.Context(), topics)
		return err == nil && r.Errors["orders"] == nil && r.Errors["payroll"] == nil
	})
	r, err := admin.CreateACLs(a.t.Context(), acls)
	if err == nil {
		for _, e := range r.Errors {
			if e != nil {
				err = e
			}
		}
	}
	if err != nil {
		a.t.Fatal(err)
	}
	poll(a.t, 30*time.Second, "agent14 may write", func() bool {
		came := a.produce("orders")
		if strings.HasPrefix(came, "WRITE ") { // else the client itself does not know the topic yet
			a.early[came]++
		}
		return came == "WRITE allowed"
	})
	appears(a.t, a.log())
}

// send makes requests of one record each, one in ten to a topic that refuses
// them.
func (a *authorized) send(n int) tally {
	var mu sync.Mutex
	out := a.early
	a.early = tally{}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			pace := time.NewTicker(rest)
			defer pace.Stop()
			for k := w; k < n; k += workers {
				topic := "orders"
				if k%10 == 9 {
					topic = "payroll"
				}
				came := a.produce(topic)
				a.seen.Add(1)
				mu.Lock()
				out[came]++
				mu.Unlock()
				<-pace.C
			}
		})
	}
	wg.Wait()
	return out
}

func (a *authorized) produce(topic string) string {
	r, err := a.client.Produce(a.t.Context(), &kafka.ProduceRequest{
		Topic: topic, RequiredAcks: kafka.RequireOne, Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("x"))}),
	})
	switch {
	case err != nil:
		return fmt.Sprint(err)
	case r.Error == nil:
		return "WRITE allowed"
	case r.Error == kafka.TopicAuthorizationFailed:
		return "WRITE denied"
	}
	return fmt.Sprint(r.Error)
}

func (a *authorized) answered() int64 { return a.seen.Load() }

func (a *authorized) log() string { return filepath.Join(a.dir, "kafka-authorizer.log") }

// rotate leaves it to Kafka, which renames its log whenever it is full.
func (a *authorized) rotate() {
	if _, err := os.Stat(a.log()); err != nil {
		a.t.Error(err)
	}
}
