package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/tallystick/tallystick/internal/private"
)

const clientID = "tallystick"

// Config is the section kafka of tallystick.yaml.
type Config struct {
	// Addresses are host:port of the cluster's brokers. Empty: the embedded
	// broker, whose address the program then fills in.
	Addresses []string `yaml:"addresses,omitempty"`
	// TLS protects the connection. Off by default, which Validate accepts with
	// a password only on loopback.
	TLS TLS `yaml:"tls,omitempty"`
	// SASL authenticates with a password. Off by default.
	SASL SASL `yaml:"sasl,omitempty"`
	// Partitions is how many partitions a topic gets that has to be created.
	// Default 2, which is what the embedded broker always has. More partitions let
	// more auditors work side by side; on a topic with data a change moves streams
	// between partitions, so don't.
	Partitions int `yaml:"partitions,omitempty"`
	// Replication is how many brokers keep each partition of a topic that has to
	// be created. Default -1: what the cluster says.
	Replication int `yaml:"replication,omitempty"`
	// Retention is how long a created topic keeps messages that were not
	// deleted as done. Default 720h, the horizon of day keys: a longer one
	// delays erasures.
	Retention time.Duration `yaml:"retention,omitempty"`
	// Keep is how long the embedded broker keeps lines after they were stored,
	// so that tallystick replay can re-process them. Default 0s: they are deleted
	// at once. After an unclean end it reads what it keeps into memory: keep
	// hours of a busy site, not weeks. Kafka itself keeps them for retention.
	Keep time.Duration `yaml:"keep,omitempty"`
}

// TLS says how the connection is protected; at least TLS 1.2.
type TLS struct {
	Enabled bool `yaml:"enabled,omitempty"`
	// CAFile is a PEM file of authorities. Default: the system's.
	CAFile string `yaml:"ca_file,omitempty"`
	// CertFile and KeyFile are PEM files of the client's certificate, for mutual
	// TLS; the key's has mode 0600.
	CertFile string `yaml:"cert_file,omitempty"`
	KeyFile  string `yaml:"key_file,omitempty"`
	// ServerName is the name expected in the brokers' certificates. Default: the host of each address.
	ServerName string `yaml:"server_name,omitempty"`
}

// SASL says how the client authenticates.
type SASL struct {
	// Mechanism is plain, scram-sha-256 or scram-sha-512; empty for none.
	Mechanism string `yaml:"mechanism,omitempty"`
	User      string `yaml:"user,omitempty"`
	// PasswordFile is a file of mode 0600 with the password on its first line.
	PasswordFile string `yaml:"password_file,omitempty"`
	// Password is that of the embedded broker, set by the program.
	Password string `yaml:"-"`
}

// DefaultConfig is the configuration without addresses.
func DefaultConfig() Config {
	return Config{Partitions: 2, Replication: -1, Retention: 720 * time.Hour}
}

// Validate fills in defaults and reports the first fault, with the field's name.
func (c *Config) Validate() error {
	d := DefaultConfig()
	if c.Partitions == 0 {
		c.Partitions = d.Partitions
	}
	if c.Replication == 0 {
		c.Replication = d.Replication
	}
	if c.Retention == 0 {
		c.Retention = d.Retention
	}
	if len(c.Addresses) == 0 {
		return errors.New("kafka.addresses: empty, and no embedded broker was started")
	}
	loopback := true
	for _, a := range c.Addresses {
		host, _, err := net.SplitHostPort(a)
		if err != nil {
			return fmt.Errorf("kafka.addresses: %q is not host:port", a)
		}
		ip := net.ParseIP(host)
		loopback = loopback && (host == "localhost" || (ip != nil && ip.IsLoopback()))
	}
	switch {
	case c.Partitions < 1 || c.Partitions > 1000:
		return fmt.Errorf("kafka.partitions: %d is not between 1 and 1000", c.Partitions)
	case c.Replication < -1 || c.Replication > 32767:
		return fmt.Errorf("kafka.replication: %d is neither -1 nor a number of brokers", c.Replication)
	case c.Retention < time.Hour:
		return fmt.Errorf("kafka.retention: %s is less than an hour", c.Retention)
	case c.Keep < 0 || c.Keep > c.Retention:
		return fmt.Errorf("kafka.keep: %s is not between 0s and the retention, %s", c.Keep, c.Retention)
	case (c.TLS.CertFile == "") != (c.TLS.KeyFile == ""):
		return errors.New("kafka.tls: cert_file and key_file go together")
	case !c.TLS.Enabled && (c.TLS.CAFile != "" || c.TLS.CertFile != "" || c.TLS.ServerName != ""):
		return errors.New("kafka.tls: enabled is false, but other fields are set")
	}
	switch c.SASL.Mechanism {
	case "":
		if c.SASL.User != "" || c.SASL.PasswordFile != "" {
			return errors.New("kafka.sasl.mechanism: missing; one of plain, scram-sha-256, scram-sha-512")
		}
	case "plain", "scram-sha-256", "scram-sha-512":
		switch {
		case c.SASL.User == "":
			return errors.New("kafka.sasl.user: missing")
		case (c.SASL.PasswordFile == "") == (c.SASL.Password == ""):
			return errors.New("kafka.sasl.password_file: missing")
		case !c.TLS.Enabled && !loopback:
			return errors.New("kafka.tls.enabled: must be true where a password goes over the network")
		}
	default:
		return fmt.Errorf("kafka.sasl.mechanism: %q is none of plain, scram-sha-256, scram-sha-512", c.SASL.Mechanism)
	}
	return nil
}

func (c *Config) tls() (*tls.Config, error) {
	if !c.TLS.Enabled {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TLS.ServerName}
	if c.TLS.CAFile != "" {
		pem, err := os.ReadFile(c.TLS.CAFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka.tls.ca_file: %s has no PEM certificate", c.TLS.CAFile)
		}
	}
	if c.TLS.CertFile != "" {
		cert, err := private.KeyPair("kafka.tls.key_file", c.TLS.CertFile, c.TLS.KeyFile)
		if err != nil {
			return nil, err
		}
		t.Certificates = []tls.Certificate{cert}
	}
	return t, nil
}

func (c *Config) sasl() (sasl.Mechanism, error) {
	s := c.SASL
	if s.Mechanism == "" {
		return nil, nil
	}
	password := s.Password
	if s.PasswordFile != "" {
		var err error
		if password, err = private.FirstLine("kafka.sasl.password_file", s.PasswordFile); err != nil {
			return nil, err
		}
	}
	switch s.Mechanism {
	case "scram-sha-256":
		return scram.Mechanism(scram.SHA256, s.User, password)
	case "scram-sha-512":
		return scram.Mechanism(scram.SHA512, s.User, password)
	}
	return plain.Mechanism{Username: s.User, Password: password}, nil
}
