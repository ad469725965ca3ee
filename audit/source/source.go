// Package source declares what a source of lines is: its configuration, how
// its principal and purpose are found, and what a Reader of it does. The ways
// in are its sub-packages. The tap opens the Reader that the configuration
// names; the auditor's stages read the rest by source name.
package source

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Config is one entry under sources in tallystick.yaml.
type Config struct {
	// Name names the source in every entry, metric and report. Required,
	// unique; lower-case letters, digits and dashes.
	Name string `yaml:"name"`
	// File is a path or glob of log files to tail. Each source has exactly one
	// way in: file, syslog, http, stdin, kafka, als or otlp.
	File string `yaml:"file,omitempty"`
	// Syslog listens for syslog messages.
	Syslog *Syslog `yaml:"syslog,omitempty"`
	// HTTP listens for lines that are posted.
	HTTP *HTTP `yaml:"http,omitempty"`
	// Stdin reads the standard input of the process. One source at most.
	Stdin bool `yaml:"stdin,omitempty"`
	// Kafka reads topics of a cluster.
	Kafka *Kafka `yaml:"kafka,omitempty"`
	// ALS listens for Envoy's access log entries.
	ALS *ALS `yaml:"als,omitempty"`
	// OTLP listens for OpenTelemetry logs.
	OTLP *OTLP `yaml:"otlp,omitempty"`
	// Format is the name of a format: nginx:combined, envoy:json,
	// kafka:authorizer.
	Format string `yaml:"format"`
	// Timezone is an IANA name for formats that write no zone. Default UTC.
	Timezone string `yaml:"timezone,omitempty"`
	// TrustedProxies are the networks whose X-Forwarded-For is believed. None
	// by default: the client is the peer.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies,omitempty"`
	// System is the key of the system in the data map that the source guards.
	System string `yaml:"system"`
	// Principal lists where the principal is found; the first present wins:
	// remote_user, client_san, client_subject, field:NAME, header:NAME. Only
	// fields that the proxy itself verified belong here. Default [remote_user].
	Principal []string `yaml:"principal,omitempty"`
	// Purpose is where a stated purpose is found: header:NAME or field:NAME.
	// Empty: purposes are inferred from the data map.
	Purpose string `yaml:"purpose,omitempty"`
	// Labels are copied to every entry.
	Labels map[string]string `yaml:"labels,omitempty"`
	// SilentAfter is how long the source may bring no line before that is a
	// gap. Default 6h.
	SilentAfter time.Duration `yaml:"silent_after,omitempty"`
	// From is beginning or end: where a file or topic that was never read
	// before is begun. Default beginning.
	From string `yaml:"from,omitempty"`
	// WhenFull is what becomes of lines that Kafka does not take: block lets
	// them wait where they are, spool lets them wait sealed on disk, drop
	// loses and counts them. Default block for file, stdin and kafka, spool
	// for the others. A full spool blocks: HTTP answers 503, gRPC UNAVAILABLE,
	// TCP stays unread, and datagrams are dropped and counted.
	WhenFull WhenFull `yaml:"when_full,omitempty"`
	// SpoolBytes bounds the spool of the source. Default 1073741824.
	SpoolBytes int `yaml:"spool_bytes,omitempty"`
}

// Validate fills in the defaults of its way in and reports the first fault,
// with the path of the value.
func (c *Config) Validate() error {
	if c.Name == "" || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("name: %q is not a name of lower-case letters, digits and dashes", c.Name)
	}
	if c.Format == "" {
		return fmt.Errorf("format: missing; for example nginx:combined")
	}
	if _, err := c.Location(); err != nil {
		return fmt.Errorf("timezone: %q is not an IANA time zone such as Europe/Berlin", c.Timezone)
	}
	for _, p := range c.Principal {
		if !validLocator(p, "remote_user", "client_san", "client_subject") {
			return fmt.Errorf("principal: %q is none of remote_user, client_san, client_subject, field:NAME, header:NAME", p)
		}
	}
	if c.Purpose != "" && !validLocator(c.Purpose) {
		return fmt.Errorf("purpose: %q is neither header:NAME nor field:NAME", c.Purpose)
	}
	if c.SilentAfter != 0 && c.SilentAfter < time.Minute {
		return fmt.Errorf("silent_after: %s is less than a minute", c.SilentAfter)
	}
	if c.From != "" && c.From != "beginning" && c.From != "end" {
		return fmt.Errorf("from: %q is neither beginning nor end", c.From)
	}
	return c.validateWay()
}

// Location is the time zone of the source.
func (c *Config) Location() (*time.Location, error) {
	if c.Timezone == "" {
		return time.UTC, nil
	}
	return time.LoadLocation(c.Timezone)
}

// MaySilent is how long the source may bring no line, with the default applied.
func (c *Config) MaySilent() time.Duration {
	if c.SilentAfter == 0 {
		return 6 * time.Hour
	}
	return c.SilentAfter
}

// Locators are the places of the principal in order, with the default applied.
func (c *Config) Locators() []string {
	if len(c.Principal) == 0 {
		return []string{"remote_user"}
	}
	return c.Principal
}

func validLocator(s string, words ...string) bool {
	for _, w := range words {
		if s == w {
			return true
		}
	}
	for _, p := range []string{"field:", "header:"} {
		if n, ok := strings.CutPrefix(s, p); ok && n != "" {
			return true
		}
	}
	return false
}
