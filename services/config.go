package services

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/audit/retention"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/strictyaml"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/keys/kms"
	"github.com/tallystick/tallystick/services/console"
	"github.com/tallystick/tallystick/services/ledger"
	"github.com/tallystick/tallystick/services/masker"
	"github.com/tallystick/tallystick/services/reporter"
)

// Config is tallystick.yaml. Every field has a usable zero value: an empty
// file runs everything embedded in one process, with no source.
type Config struct {
	// Data is the folder of everything that is kept: embedded Kafka and
	// ClickHouse, registers, ledger, keysets, reports. Default data, beside
	// the configuration file. The flag --data has precedence.
	Data string `yaml:"data,omitempty"`
	// Installation is the data folder of the installation that a further auditor
	// or tap belongs to, on the same machine or on a shared volume. Identity, keysets,
	// registers, ledger and reports are those in it, and data holds only what
	// this process keeps for itself. Default: data. The flag --installation has
	// precedence.
	Installation string `yaml:"installation,omitempty"`
	// DataMap is the path of the data map. Default datamap.yaml beside the
	// configuration file; without one every resource is a gap.
	DataMap string `yaml:"datamap,omitempty"`
	// Controls is a folder of further control files. Optional.
	Controls string `yaml:"controls,omitempty"`
	// CountryTable is a MaxMind DB file with a country per address block.
	// Default: the table that `make fetch` brought; without one countries
	// stay unknown.
	CountryTable string `yaml:"country_table,omitempty"`

	Sources    []source.Config `yaml:"sources,omitempty"`
	Kafka      broker.Config   `yaml:"kafka,omitempty"`
	ClickHouse store.Config    `yaml:"clickhouse,omitempty"`
	Keys       KeysConfig      `yaml:"keys,omitempty"`
	Ledger     ledger.Config   `yaml:"ledger,omitempty"`
	// Retention is how long each class of the record is kept. Legal holds keep
	// longer.
	Retention retention.Config `yaml:"retention,omitempty"`
	Vault     VaultConfig      `yaml:"vault,omitempty"`
	Erasure   ErasureConfig    `yaml:"erasure,omitempty"`
	Console   console.Config   `yaml:"console,omitempty"`
	Alerts    AlertsConfig     `yaml:"alerts,omitempty"`
	Reports   reporter.Config  `yaml:"reports,omitempty"`
	Metrics   MetricsConfig    `yaml:"metrics,omitempty"`
	Masking   MaskingConfig    `yaml:"masking,omitempty"`
	Masker    masker.Config    `yaml:"masker,omitempty"`
}

// KeysConfig says where the key-encryption key is and how long day keys live.
type KeysConfig struct {
	// KEK is the key-encryption key: hcvault://HOST:8200/transit/keys/NAME,
	// aws-kms://ARN or gcp-kms://projects/... for one that a key management
	// service wraps, or the path of a key file. Default a file under the user's
	// configuration folder, outside the data folder.
	KEK string `yaml:"kek,omitempty"`
	// KMS says how the key management service is reached.
	KMS kms.Config `yaml:"kms,omitempty"`
	// Horizon is how long a day key lives after its day, and a line key after it
	// was retired and last used. Default 720h.
	Horizon time.Duration `yaml:"horizon,omitempty"`
	// LineRotation is how old the key that lines are sealed with may become.
	// Default 168h with the embedded broker. With kafka.addresses it is off
	// unless it is set: then every auditor needs the same folder of keysets,
	// and taps on other machines need line.pub after each rotation.
	LineRotation time.Duration `yaml:"line_rotation,omitempty"`
	// Rotate rotates keys by the calendar. Optional.
	Rotate []RotationConfig `yaml:"rotate,omitempty"`
	// Links is how long after its year the key of links lives, by which the
	// record is asked about a person once day keys are gone. Default 43800h, five
	// years. Afterwards nobody can tell whose the entries of that year are.
	Links time.Duration `yaml:"links,omitempty"`
}

// RotationConfig rotates one key by the calendar. What falls due while nothing
// runs is done at the next start.
type RotationConfig struct {
	// Key is line, tap, webhook or principals.
	Key string `yaml:"key"`
	// Cron has five fields, such as "0 4 1 * *" for the first of each month.
	Cron string `yaml:"cron"`
	// Zone is of the calendar. Default UTC.
	Zone string `yaml:"zone,omitempty"`
}

// ErasureConfig says what an erasure can't see and its answer has to tell.
type ErasureConfig struct {
	// Backups is how long back-ups of the data folder, of ClickHouse and of Kafka
	// are kept. Default keys.horizon. A person who was erased is gone from the
	// last of them only then.
	Backups time.Duration `yaml:"backups,omitempty"`
}

// VaultConfig says to which keys the originals of masked fields are sealed.
// Without keys no original is kept.
type VaultConfig struct {
	// Keys is the file of signed vault keys that tallystick keys vault wrote.
	// It is read again when it changes. Optional.
	Keys string `yaml:"keys,omitempty"`
	// Officer is the key officer's public key, base64, which has to have signed
	// them. Required with keys.
	Officer string `yaml:"officer,omitempty"`
	// Pins is the file of pinned keys that registered readers and requests are
	// checked against. Optional: without it none is registered.
	Pins string `yaml:"pins,omitempty"`
	// Custodians are the files of the custodians' cards. Their trails are read,
	// kept and judged by EX-04. Optional.
	Custodians []string `yaml:"custodians,omitempty"`
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
	// installation's own.
	SecretFile string `yaml:"secret_file,omitempty"`
	// AllowPrivate permits loopback and private addresses as receivers.
	AllowPrivate bool `yaml:"allow_private,omitempty"`
}

// LoadConfig reads and checks the file at path. Relative paths in it are
// relative to its folder.
func LoadConfig(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &text.Hint{Err: fmt.Errorf("failed to read the configuration: %w", err), Hint: "tallystick init LOG... writes one"}
	}
	if blank(data) {
		return DefaultConfig(filepath.Dir(path)), nil
	}
	var c Config
	d, err := strictyaml.Decode(path, data, &c)
	if err != nil {
		return nil, hinted(err)
	}
	c.applyDefaults(filepath.Dir(path))
	if err := c.validate(d); err != nil {
		return nil, hinted(err)
	}
	return &c, nil
}

// blank reports whether a file has nothing but empty lines and comments.
func blank(data []byte) bool {
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// hinted adds a hint to a fault of the configuration that has none.
func hinted(err error) error {
	if err == nil || text.HintOf(err) != "" {
		return err
	}
	return &text.Hint{Err: err, Hint: "docs/reference/config.md lists every key with its default; try again with tallystick config check"}
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
	if c.Console == (console.Config{}) {
		c.Console = console.DefaultConfig()
	}
	set(&c.Console.Listen, console.DefaultConfig().Listen)
	if c.Console.SessionTTL == 0 {
		c.Console.SessionTTL = console.DefaultConfig().SessionTTL
	}
	set(&c.Alerts.Language, "en")
	if c.Ledger.Every == 0 {
		c.Ledger.Every = ledger.DefaultEvery
	}
	if c.Retention.Rejections == 0 {
		c.Retention.Rejections = retention.DefaultRejections
	}
	if c.Keys.Horizon == 0 {
		c.Keys.Horizon = 30 * 24 * time.Hour
	}
	if c.Keys.Links == 0 {
		c.Keys.Links = 5 * 365 * 24 * time.Hour
	}
	if c.Erasure.Backups == 0 {
		c.Erasure.Backups = c.Keys.Horizon
	}
	if c.Keys.LineRotation == 0 && len(c.Kafka.Addresses) == 0 {
		c.Keys.LineRotation = 7 * 24 * time.Hour
	}
	if !kms.Is(c.Keys.KEK) {
		c.Keys.KEK = under(dir, c.Keys.KEK)
	}
	for _, p := range []*string{&c.Data, &c.Installation, &c.DataMap, &c.Controls, &c.CountryTable, &c.Keys.KMS.TokenFile, &c.Keys.KMS.CredentialsFile, &c.Keys.KMS.CAFile,
		&c.Kafka.TLS.CAFile, &c.Kafka.TLS.CertFile, &c.Kafka.TLS.KeyFile, &c.Kafka.SASL.PasswordFile, &c.ClickHouse.PasswordFile, &c.ClickHouse.Reader.PasswordFile, &c.Ledger.Publish.File,
		&c.Console.TLSCertFile, &c.Console.TLSKeyFile, &c.Vault.Keys, &c.Vault.Pins, &c.Masking.Detectors} {
		*p = under(dir, *p)
	}
	for _, p := range c.Masker.Paths() {
		*p = under(dir, *p)
	}
	for i := range c.Masking.Policies {
		c.Masking.Policies[i].File, c.Masking.Policies[i].Keys = under(dir, c.Masking.Policies[i].File), under(dir, c.Masking.Policies[i].Keys)
	}
	for i := range c.Sources {
		for _, p := range c.Sources[i].Paths() {
			*p = under(dir, *p)
		}
	}
	for i := range c.Vault.Custodians {
		c.Vault.Custodians[i] = under(dir, c.Vault.Custodians[i])
	}
	for i := range c.Alerts.Webhooks {
		c.Alerts.Webhooks[i].SecretFile = under(dir, c.Alerts.Webhooks[i].SecretFile)
	}
}

// Home is the folder in which the installation is: Installation, or Data where
// there is no other.
func (c *Config) Home() string {
	if c.Installation == "" || filepath.Clean(c.Installation) == filepath.Clean(c.Data) {
		return c.Data
	}
	return c.Installation
}

func under(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func (c *Config) validate(d *strictyaml.Doc) error {
	if err := c.validateSources(d); err != nil {
		return err
	}
	if err := c.validateKafka(d); err != nil {
		return err
	}
	if err := c.ClickHouse.Validate(); err != nil {
		return section(d, "clickhouse", err)
	}
	if err := c.Console.Validate(); err != nil {
		return section(d, "console", err)
	}
	if err := c.Ledger.Validate(); err != nil {
		return section(d, "ledger", err)
	}
	if err := c.Retention.Validate(); err != nil {
		return section(d, "retention", err)
	}
	if c.Keys.Horizon < 24*time.Hour {
		return d.Fault("keys.horizon", "write 720h for 30 days", "a horizon under 24h would destroy day keys during their day")
	}
	if c.Keys.LineRotation != 0 && c.Keys.LineRotation < time.Hour {
		return d.Fault("keys.line_rotation", "write 168h for a week", "a line rotation under 1h is looked for only every hour")
	}
	for i := range c.Keys.Rotate {
		r, at := &c.Keys.Rotate[i], fmt.Sprintf("keys.rotate[%d]", i)
		if !slices.Contains(rotated, r.Key) {
			return d.Fault(at+".key", "one of "+strings.Join(rotated, ", "), "keys.rotate: %q is not rotated", r.Key)
		}
		if _, err := r.next(time.Now()); err != nil {
			return d.Fault(at+".cron", `write five fields, for example "0 4 1 * *", and a zone like Europe/Berlin`, "keys.rotate: the cron expression or the zone of %s is not valid", r.Key)
		}
	}
	if k := c.Keys.KMS; k.Check < 0 || k.Grace < 0 || k.Check != 0 && k.Check < time.Second {
		return d.Fault("keys.kms", "leave check and grace out for 5m and 24h", "keys.kms.check is under 1s, or keys.kms.grace negative")
	}
	if c.Keys.Links < c.Keys.Horizon {
		return d.Fault("keys.links", "write 43800h for five years", "keys of links can't go before the day keys of their year: keys.horizon is %s", c.Keys.Horizon)
	}
	if c.Erasure.Backups < 0 {
		return d.Fault("erasure.backups", "write 720h for 30 days", "the time that back-ups are kept is not below 0")
	}
	for i, w := range c.Alerts.Webhooks {
		at := fmt.Sprintf("alerts.webhooks[%d]", i)
		if w.Name == "" {
			return d.Fault(at, "add name: tickets", "webhook %d has no name", i+1)
		}
		if u, err := url.Parse(w.URL); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
			return d.Fault(at+".url", "write url: https://tickets.example.org/hooks", "webhook %q: not an http or https address", w.Name)
		}
	}
	if c.Vault.Keys != "" {
		if _, err := keys.ParsePublic(c.Vault.Officer); err != nil {
			return d.Fault("vault.officer", "copy the line that tallystick keys officer printed", "vault.keys needs the key officer's public key: %v", err)
		}
	}
	if err := c.Reports.Validate(); err != nil {
		return section(d, "reports.schedules", err)
	}
	return c.validateMasking(d)
}

// section is the fault that the owner of a section found. Its message may begin
// with the path of the value, which is where the fault stands then.
func section(d *strictyaml.Doc, path string, err error) error {
	if at, _, ok := strings.Cut(err.Error(), ":"); ok && strings.HasPrefix(at, path+".") && !strings.ContainsAny(at, " \t") {
		path = at
	}
	return d.Fault(path, text.HintOf(err), "%v", err)
}

// sourceHints say what a field of a source is like.
var sourceHints = map[string]string{
	"name": "write name: shop", "format": "tallystick init LOG recognises the format of a file", "timezone": "write timezone: Europe/Berlin",
	"principal": "write principal: [remote_user]", "purpose": "write purpose: header:X-Purpose, or leave it out", "from": "write from: beginning",
	"when_full": "leave it out for the default", "spool_bytes": "leave it out for 1073741824", "http": "add token_file: the path of a file with mode 0600",
	"syslog": "write udp: 127.0.0.1:5514", "otlp": "write grpc: 127.0.0.1:4317",
}

func (c *Config) validateSources(d *strictyaml.Doc) error {
	seen := map[string]bool{}
	stdin := ""
	for i := range c.Sources {
		s := &c.Sources[i]
		at := fmt.Sprintf("sources[%d]", i)
		if err := s.Validate(); err != nil {
			field, _, _ := strings.Cut(err.Error(), ":")
			return d.Fault(at+"."+field, sourceHints[field], "source %d: %v", i+1, err)
		}
		if _, err := parse.ByName(s.Format); err != nil {
			return d.Fault(at+".format", "one of "+strings.Join(parse.Names(), ", "), "source %q: %v", s.Name, err)
		}
		if seen[s.Name] {
			return d.Fault(at+".name", "give each source its own name", "source %q is there twice", s.Name)
		}
		seen[s.Name] = true
		switch {
		case s.Way() == "":
			return d.Fault(at, "add file: /var/log/nginx/access.log, or one of syslog, http, stdin, kafka, als, otlp", "source %q has no way in", s.Name)
		case s.Stdin && stdin != "":
			return d.Fault(at+".stdin", "a process has one standard input", "source %q reads it already", stdin)
		case s.Stdin:
			stdin = s.Name
		}
	}
	return nil
}
