package services

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/yamlfile"
)

// Config is tallystick.yaml. Every field has a usable zero value: an empty
// file runs everything embedded in one process, with no source.
type Config struct {
	// Data is the folder of everything that is kept: embedded Kafka and
	// ClickHouse, registers, ledger, keysets, reports. Default data, beside
	// the configuration file. The flag --data has precedence.
	Data string `yaml:"data,omitempty"`
	// DataMap is the path of the data map. Default datamap.yaml beside the
	// configuration file; without one every resource is a gap.
	DataMap string `yaml:"datamap,omitempty"`
	// Controls is a folder of further control files. Optional.
	Controls string `yaml:"controls,omitempty"`
	// CountryTable is a MaxMind DB file with a country per address block.
	// Default: the table that `make fetch` brought; without one countries
	// stay unknown.
	CountryTable string `yaml:"country_table,omitempty"`

	Sources    []source.Config  `yaml:"sources,omitempty"`
	Kafka      KafkaConfig      `yaml:"kafka,omitempty"`
	ClickHouse ClickHouseConfig `yaml:"clickhouse,omitempty"`
	Keys       KeysConfig       `yaml:"keys,omitempty"`
	Console    ConsoleConfig    `yaml:"console,omitempty"`
	Alerts     AlertsConfig     `yaml:"alerts,omitempty"`
	Reports    ReportsConfig    `yaml:"reports,omitempty"`
}

// KafkaConfig says where Kafka is. No address means the embedded broker.
type KafkaConfig struct {
	Addresses []string `yaml:"addresses,omitempty"` // HOST:PORT of the cluster's brokers
	TLS       bool     `yaml:"tls,omitempty"`       // TLS 1.2 or newer
	CAFile    string   `yaml:"ca_file,omitempty"`   // PEM; default the system's
	CertFile  string   `yaml:"cert_file,omitempty"` // client certificate, PEM
	KeyFile   string   `yaml:"key_file,omitempty"`
	SASL      string   `yaml:"sasl,omitempty"` // plain, scram-sha-256 or scram-sha-512
	User      string   `yaml:"user,omitempty"`
	// PasswordFile holds the password, mode 0600.
	PasswordFile string `yaml:"password_file,omitempty"`
}

// ClickHouseConfig says where ClickHouse is. No address means the embedded one.
type ClickHouseConfig struct {
	Address      string `yaml:"address,omitempty"`  // HOST:PORT of the HTTP interface
	Database     string `yaml:"database,omitempty"` // default tallystick
	User         string `yaml:"user,omitempty"`
	PasswordFile string `yaml:"password_file,omitempty"`
	TLS          bool   `yaml:"tls,omitempty"`
}

// KeysConfig says where the key-encryption key is and how long day keys live.
type KeysConfig struct {
	// KEK is the path of the local key-encryption key. Default a file under
	// the user's configuration folder, outside the data folder.
	KEK string `yaml:"kek,omitempty"`
	// Horizon is how long a day key lives after its day. Default 720h.
	Horizon time.Duration `yaml:"horizon,omitempty"`
}

// ConsoleConfig configures the web console.
type ConsoleConfig struct {
	// Listen is the address of the console. Default 127.0.0.1:8080. Anything
	// but loopback needs cert_file and key_file.
	Listen    string `yaml:"listen,omitempty"`
	PublicURL string `yaml:"public_url,omitempty"` // as links in alerts show it; default from listen
	CertFile  string `yaml:"cert_file,omitempty"`
	KeyFile   string `yaml:"key_file,omitempty"`
}

// AlertsConfig says who is told about findings.
type AlertsConfig struct {
	Webhooks []WebhookConfig `yaml:"webhooks,omitempty"`
	// Language of alert texts: en or pt-BR. Default en.
	Language string `yaml:"language,omitempty"`
}

// WebhookConfig is one receiver of signed webhooks (Standard Webhooks).
type WebhookConfig struct {
	Name string `yaml:"name"`
	URL  string `yaml:"url"`
	// SecretFile holds the whsec_ secret, mode 0600. Default: the
	// installation's own, shown by `tallystick config webhook-secret`.
	SecretFile string `yaml:"secret_file,omitempty"`
	// AllowPrivate permits loopback and private addresses as receivers.
	AllowPrivate bool `yaml:"allow_private,omitempty"`
}

// ReportsConfig holds the schedules that every start makes sure of.
type ReportsConfig struct {
	Schedules []ScheduleConfig `yaml:"schedules,omitempty"`
}

// ScheduleConfig renders one kind of report by cron.
type ScheduleConfig struct {
	Kind     string   `yaml:"kind"`               // gdpr-accountability, ccpa-metrics, lgpd-record
	Cron     string   `yaml:"cron"`               // five fields, UTC
	Period   string   `yaml:"period"`             // last-day, last-week, last-month, last-year
	Formats  []string `yaml:"formats,omitempty"`  // html, pdf, csv, json; default pdf and csv
	Language string   `yaml:"language,omitempty"` // default of the kind
}

// LoadConfig reads and checks the file at path. Relative paths in it are
// relative to its folder.
func LoadConfig(path string) (*Config, error) {
	d, err := yamlfile.Read(path)
	if err != nil {
		return nil, err
	}
	var c Config
	if err := d.Decode(&c); err != nil {
		return nil, err
	}
	c.applyDefaults(filepath.Dir(path))
	if err := c.validate(d); err != nil {
		return nil, err
	}
	return &c, nil
}

// DefaultConfig is the configuration of an empty file in folder dir.
func DefaultConfig(dir string) *Config {
	var c Config
	c.applyDefaults(dir)
	return &c
}

func (c *Config) applyDefaults(dir string) {
	set := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	set(&c.Data, "data")
	set(&c.DataMap, "datamap.yaml")
	set(&c.Console.Listen, "127.0.0.1:8080")
	set(&c.ClickHouse.Database, "tallystick")
	set(&c.Alerts.Language, "en")
	if c.Keys.Horizon == 0 {
		c.Keys.Horizon = 30 * 24 * time.Hour
	}
	for _, p := range []*string{&c.Data, &c.DataMap, &c.Controls, &c.CountryTable, &c.Keys.KEK,
		&c.Kafka.CAFile, &c.Kafka.CertFile, &c.Kafka.KeyFile, &c.Kafka.PasswordFile, &c.ClickHouse.PasswordFile,
		&c.Console.CertFile, &c.Console.KeyFile} {
		*p = under(dir, *p)
	}
	for i := range c.Sources {
		c.Sources[i].File = under(dir, c.Sources[i].File)
	}
	for i := range c.Alerts.Webhooks {
		c.Alerts.Webhooks[i].SecretFile = under(dir, c.Alerts.Webhooks[i].SecretFile)
	}
}

func under(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func (c *Config) validate(d *yamlfile.Doc) error {
	seen := map[string]bool{}
	for i := range c.Sources {
		s := &c.Sources[i]
		at := fmt.Sprintf("$.sources[%d]", i)
		if err := s.Validate(); err != nil {
			field, _, _ := strings.Cut(err.Error(), ":")
			return d.Errorf(at+"."+field, "source %d: %v", i+1, err)
		}
		if seen[s.Name] {
			return d.Errorf(at+".name", "source %q is there twice; names are unique", s.Name)
		}
		seen[s.Name] = true
		if s.File == "" {
			return d.Errorf(at, "source %q has no file to read", s.Name)
		}
	}
	if c.Kafka.SASL != "" && !slices.Contains([]string{"plain", "scram-sha-256", "scram-sha-512"}, c.Kafka.SASL) {
		return d.Errorf("$.kafka.sasl", "%q is none of plain, scram-sha-256, scram-sha-512", c.Kafka.SASL)
	}
	if c.Kafka.SASL != "" && (c.Kafka.User == "" || c.Kafka.PasswordFile == "") {
		return d.Errorf("$.kafka.sasl", "sasl needs user and password_file")
	}
	if c.Keys.Horizon < 24*time.Hour {
		return d.Errorf("$.keys.horizon", "a horizon under 24h would destroy day keys during their day")
	}
	if err := c.validateConsole(d); err != nil {
		return err
	}
	for i, w := range c.Alerts.Webhooks {
		at := fmt.Sprintf("$.alerts.webhooks[%d]", i)
		if w.Name == "" {
			return d.Errorf(at, "webhook %d has no name", i+1)
		}
		if u, err := url.Parse(w.URL); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
			return d.Errorf(at+".url", "webhook %q: not an http or https address", w.Name)
		}
	}
	return c.validateSchedules(d)
}

func (c *Config) validateConsole(d *yamlfile.Doc) error {
	host, _, err := net.SplitHostPort(c.Console.Listen)
	if err != nil {
		return d.Errorf("$.console.listen", "%q is not HOST:PORT", c.Console.Listen)
	}
	ip := net.ParseIP(host)
	if host != "localhost" && (ip == nil || !ip.IsLoopback()) && c.Console.CertFile == "" {
		return d.Hintf("$.console.listen", "add console.cert_file and console.key_file, or listen on 127.0.0.1 behind a proxy",
			"%s is not loopback, and the console speaks to others over TLS only", c.Console.Listen)
	}
	return nil
}

func (c *Config) validateSchedules(d *yamlfile.Doc) error {
	for i, s := range c.Reports.Schedules {
		at := fmt.Sprintf("$.reports.schedules[%d]", i)
		if s.Kind == "" || s.Cron == "" {
			return d.Errorf(at, "schedule %d needs kind and cron", i+1)
		}
		if !slices.Contains([]string{"last-day", "last-week", "last-month", "last-year"}, s.Period) {
			return d.Errorf(at+".period", "%q is none of last-day, last-week, last-month, last-year", s.Period)
		}
	}
	return nil
}
