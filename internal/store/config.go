package store

import (
	"errors"
	"regexp"

	"github.com/tallystick/tallystick/internal/text"
)

// Config says where ClickHouse is. The zero value, with Deps.Transport set,
// means the embedded one.
type Config struct {
	// Address is the URL of ClickHouse's HTTP interface:
	// https://clickhouse.example:8443. Empty: Deps.Transport must be set.
	Address string `yaml:"address,omitempty"`
	// Database is created if it is missing. Default tallystick.
	Database string `yaml:"database,omitempty"`
	// User and PasswordFile are the user's name and the path of a file of mode 0600
	// with the password. Optional.
	User         string `yaml:"user,omitempty"`
	PasswordFile string `yaml:"password_file,omitempty"`
	// Reader is another user for everything that reads; user then only has to
	// write. tallystick config ddl --users prints the grants of both. Optional.
	Reader UserConfig `yaml:"reader,omitempty"`
	// Cluster is the name of a cluster in the servers' configuration, with
	// internal_replication: tables are replicated, the large ones divided over
	// its shards by stream, and made on all nodes. It can't be set for a database
	// that was made without it. Optional.
	Cluster string `yaml:"cluster,omitempty"`

	single bool // in tests: a cluster of one node without Keeper
}

// UserConfig is a user of ClickHouse.
type UserConfig struct {
	// User is the user's name.
	User string `yaml:"user,omitempty"`
	// PasswordFile is the path of a file of mode 0600 with the password. Optional.
	PasswordFile string `yaml:"password_file,omitempty"`
}

var databasePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

var clusterPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// Validate reports the first fault, with the field's path.
func (c *Config) Validate() error {
	_, err := c.withDefaults()
	return err
}

func (c *Config) withDefaults() (Config, error) {
	out := *c
	if out.Database == "" {
		out.Database = "tallystick"
	}
	switch {
	case !databasePattern.MatchString(out.Database):
		return out, &text.Hint{Err: errors.New("clickhouse.database: not a name of letters, digits and _"), Hint: "leave it out for tallystick"}
	case !clusterPattern.MatchString(out.Cluster) && out.Cluster != "":
		return out, &text.Hint{Err: errors.New("clickhouse.cluster: not the name of a cluster"), Hint: "write the name under remote_servers of the servers' configuration"}
	case out.Cluster != "" && out.Address == "" && !out.single:
		return out, &text.Hint{Err: errors.New("clickhouse.cluster: the embedded ClickHouse is one node"), Hint: "give the address of a node or a load balancer of the cluster"}
	}
	return out, nil
}

func (c *Config) layout() layout {
	return layout{cluster: c.Cluster, database: c.Database, single: c.single}
}
