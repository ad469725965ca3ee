// Package broker runs a Kafka broker in the process: franz-go's kfake, a single
// node that keeps topics and group offsets on disk and syncs each batch.
//
// It is the default for trying and for small sites. It speaks real Kafka on a
// loopback port, asks for a password that only this process knows, and is
// reached through internal/broker like any other. Its memory grows with what
// is kept, so the caller deletes below what is done. Only services starts it.
package broker

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/tallystick/tallystick/internal/text"
)

// Warning is the line that the program logs at start when it runs this broker.
const Warning = "the embedded broker is franz-go's test broker, one node without replicas: for trying and small sites, not for production; set kafka.addresses to use a Kafka cluster"

// Partitions is how many partitions each topic has, for ever.
const Partitions = 2

const (
	// segmentBytes bounds what deleting leaves on disk: a segment goes when all
	// of it is below.
	segmentBytes = 16 << 20
	// maxMessage is Kafka's own default for message.max.bytes.
	maxMessage = 1_048_588
	user       = "tallystick"
	// minSession lets tests have members that are given up soon.
	minSession = 100 * time.Millisecond
)

// Broker is the running broker.
type Broker struct {
	cluster  *kfake.Cluster
	lock     *os.File
	addr     string
	password string
}

// Options are for a broker that other processes of the machine use too.
type Options struct {
	// Port on the loopback interface. 0: a free one.
	Port int
	// Password of the one user. Empty: a fresh one, which only this process
	// knows, for each start.
	Password string
}

// Start starts the broker on a free port: see StartWith.
func Start(dir string) (*Broker, error) { return StartWith(dir, Options{}) }

// StartWith starts the broker in dir with the topics lines.v1 and findings.v1.
// It fails if another process has the folder. retention.ms is not set: kfake
// would delete unread records.
func StartWith(dir string, o Options) (*Broker, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("failed to create the broker's folder: %w", err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	b := &Broker{lock: lock, password: o.Password}
	if b.password == "" {
		b.password = rand.Text()
	}
	log := filepath.Join(dir, "log")
	// kfake prefers what it kept of the last start's password and settings.
	for _, f := range []string{"sasl.json", "broker_configs.json"} {
		if err := os.Remove(filepath.Join(log, f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			_ = lock.Close()
			return nil, fmt.Errorf("failed to start the embedded broker: %w", err)
		}
	}
	b.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.Ports(o.Port),
		kfake.DataDir(log),
		kfake.SyncWrites(),
		kfake.GroupMinSessionTimeout(minSession),
		kfake.EnableSASL(),
		kfake.Superuser("SCRAM-SHA-256", user, b.password),
		kfake.SeedTopics(Partitions, "lines.v1", "findings.v1"),
		kfake.BrokerConfigs(map[string]string{
			"message.max.bytes": strconv.Itoa(maxMessage),
			"log.segment.bytes": strconv.Itoa(segmentBytes),
		}),
	)
	if err != nil {
		_ = lock.Close()
		var op *net.OpError
		if errors.As(err, &op) {
			return nil, &text.Hint{
				Err:  fmt.Errorf("failed to start the embedded broker: port %d of 127.0.0.1 can't be used", o.Port),
				Hint: "stop the program that uses the port, or let it be chosen",
			}
		}
		return nil, fmt.Errorf("failed to start the embedded broker in %s: %w", dir, err)
	}
	b.addr = b.cluster.ListenAddrs()[0]
	return b, nil
}

// lockFolder takes the folder for this process; the lock goes with the process.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("failed to open the broker's folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, &text.Hint{
			Err:  fmt.Errorf("failed to start the embedded broker: %s is in use by another process", dir),
			Hint: "stop the other tallystick, or give another folder with --data",
		}
	}
	return f, nil
}

// Addr is the address on the loopback interface.
func (b *Broker) Addr() string { return b.addr }

// Credentials are the user and password (SASL SCRAM-SHA-256) of this start.
func (b *Broker) Credentials() (name, password string) { return user, b.password }

// Close writes what is open and stops the broker. Clients are cut off.
func (b *Broker) Close() error {
	b.cluster.Close()
	return b.lock.Close()
}
