package source

import (
	"net"
	"net/url"
	"strconv"
	"time"
)

// Syslog takes RFC 5424 and RFC 3164 messages. Without TLS, what goes over a
// network can be read there.
type Syslog struct {
	// UDP is HOST:PORT of a datagram listener. Datagrams can be lost before
	// they arrive, and nobody knows it.
	UDP string `yaml:"udp,omitempty"`
	// TCP is HOST:PORT of a stream listener; frames are octet-counted or end
	// with a line feed (RFC 6587).
	TCP string `yaml:"tcp,omitempty"`
	// TLS protects the stream listener (RFC 5425).
	TLS ServerTLS `yaml:"tls,omitempty"`
	// MaxConnections bounds the streams that are open at once. Default 1000.
	MaxConnections int `yaml:"max_connections,omitempty"`
	// IdleTimeout closes a stream that brings nothing for so long. Default 1h.
	IdleTimeout time.Duration `yaml:"idle_timeout,omitempty"`
}

func (s *Syslog) paths() []*string { return s.TLS.paths() }

func (s *Syslog) validate() error {
	setDefault(&s.MaxConnections, DefaultConnections)
	setDefault(&s.IdleTimeout, time.Hour)
	switch {
	case s.UDP == "" && s.TCP == "":
		return fault("syslog", "has neither udp nor tcp")
	case s.UDP != "" && !isAddress(s.UDP):
		return fault("syslog.udp", "%q is not host:port", s.UDP)
	case s.TCP != "" && !isAddress(s.TCP):
		return fault("syslog.tcp", "%q is not host:port", s.TCP)
	case s.TCP == "" && s.TLS.On():
		return fault("syslog.tls", "protects tcp, which is missing")
	case s.MaxConnections < 1:
		return fault("syslog.max_connections", "%d is less than 1", s.MaxConnections)
	case s.IdleTimeout < time.Second:
		return fault("syslog.idle_timeout", "%s is less than a second", s.IdleTimeout)
	}
	return under("syslog.tls", s.TLS.validate())
}

// HTTP takes lines that are posted to /v1/lines: one a line, or NDJSON, plain
// or compressed with gzip or zstd. A token or a client certificate is required.
type HTTP struct {
	// Listen is HOST:PORT. Required. Another interface than loopback needs TLS.
	Listen string `yaml:"listen"`
	// TLS protects the listener.
	TLS ServerTLS `yaml:"tls,omitempty"`
	// TokenFile holds the bearer token that senders show, mode 0600.
	TokenFile string `yaml:"token_file,omitempty"`
	// MaxBody is how many bytes a body may have as it is sent. Default 8388608.
	MaxBody int `yaml:"max_body,omitempty"`
	// MaxUnpacked is how many bytes it may have decompressed. Default 67108864.
	MaxUnpacked int `yaml:"max_unpacked,omitempty"`
	// MaxConnections bounds the connections that are open at once. Default 1000.
	MaxConnections int `yaml:"max_connections,omitempty"`
}

func (h *HTTP) paths() []*string { return append(h.TLS.paths(), &h.TokenFile) }

func (h *HTTP) validate() error {
	setDefault(&h.MaxBody, DefaultBody)
	setDefault(&h.MaxUnpacked, DefaultUnpacked)
	setDefault(&h.MaxConnections, DefaultConnections)
	switch {
	case !isAddress(h.Listen):
		return fault("http.listen", "%q is not host:port", h.Listen)
	case h.TokenFile == "" && h.TLS.ClientCAFile == "":
		return fault("http", "has neither token_file nor tls.client_ca_file: anybody could send lines")
	case !h.TLS.On() && !isLoopback(h.Listen):
		return fault("http.tls", "missing: the token would go over the network in clear")
	case h.MaxBody < MaxLine:
		return fault("http.max_body", "%d is less than one line of %d", h.MaxBody, MaxLine)
	case h.MaxUnpacked < h.MaxBody:
		return fault("http.max_unpacked", "%d is less than max_body", h.MaxUnpacked)
	case h.MaxConnections < 1:
		return fault("http.max_connections", "%d is less than 1", h.MaxConnections)
	}
	return under("http.tls", h.TLS.validate())
}

// ALS is Envoy's Access Log Service, version 3, over gRPC.
type ALS struct {
	// Listen is HOST:PORT. Required.
	Listen string `yaml:"listen"`
	// TLS protects the listener.
	TLS ServerTLS `yaml:"tls,omitempty"`
	// Admin are the URLs of the admin interfaces, or of their
	// /stats/prometheus, of all Envoys that send here: their counts of requests
	// are compared with the entries received. Without it losses stay unknown:
	// Envoy does not say that it lost entries.
	Admin []string `yaml:"admin,omitempty"`
	// StatPrefixes are the stat_prefix of the connection managers and TCP
	// proxies that log here. Default all connection managers and no TCP proxy.
	StatPrefixes []string `yaml:"stat_prefixes,omitempty"`
	// MaxConnections bounds the connections that are open at once. Default 1000.
	MaxConnections int `yaml:"max_connections,omitempty"`
}

func (a *ALS) paths() []*string { return a.TLS.paths() }

func (a *ALS) validate() error {
	setDefault(&a.MaxConnections, DefaultConnections)
	for _, admin := range a.Admin {
		if u, err := url.Parse(admin); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return fault("als.admin", "%q is not an http or https address", admin)
		}
	}
	switch {
	case !isAddress(a.Listen):
		return fault("als.listen", "%q is not host:port", a.Listen)
	case a.MaxConnections < 1:
		return fault("als.max_connections", "%d is less than 1", a.MaxConnections)
	}
	return under("als.tls", a.TLS.validate())
}

// OTLP takes OpenTelemetry logs.
type OTLP struct {
	// GRPC and HTTP are HOST:PORT of the two listeners; at least one.
	GRPC string `yaml:"grpc,omitempty"`
	HTTP string `yaml:"http,omitempty"`
	// TLS protects both listeners.
	TLS ServerTLS `yaml:"tls,omitempty"`
	// WholeRecords makes each record one JSON object, with its attributes and
	// resource, for a json:FILE format. Default false: only a record whose body
	// is not text; else the body alone is the line.
	WholeRecords bool `yaml:"whole_records,omitempty"`
	// MaxBody is how many bytes a request may have as it is sent, and over gRPC
	// also decompressed. Default 8388608.
	MaxBody int `yaml:"max_body,omitempty"`
	// MaxUnpacked is how many bytes it may have decompressed over HTTP. Default
	// 67108864.
	MaxUnpacked int `yaml:"max_unpacked,omitempty"`
	// MaxConnections bounds the connections that are open at once. Default 1000.
	MaxConnections int `yaml:"max_connections,omitempty"`
}

func (o *OTLP) paths() []*string { return o.TLS.paths() }

func (o *OTLP) validate() error {
	setDefault(&o.MaxBody, DefaultBody)
	setDefault(&o.MaxUnpacked, DefaultUnpacked)
	setDefault(&o.MaxConnections, DefaultConnections)
	switch {
	case o.GRPC == "" && o.HTTP == "":
		return fault("otlp", "has neither grpc nor http")
	case o.GRPC != "" && !isAddress(o.GRPC):
		return fault("otlp.grpc", "%q is not host:port", o.GRPC)
	case o.HTTP != "" && !isAddress(o.HTTP):
		return fault("otlp.http", "%q is not host:port", o.HTTP)
	case o.MaxBody < MaxLine:
		return fault("otlp.max_body", "%d is less than one line of %d", o.MaxBody, MaxLine)
	case o.MaxUnpacked < o.MaxBody:
		return fault("otlp.max_unpacked", "%d is less than max_body", o.MaxUnpacked)
	case o.MaxConnections < 1:
		return fault("otlp.max_connections", "%d is less than 1", o.MaxConnections)
	}
	return under("otlp.tls", o.TLS.validate())
}

// The limits of listeners that hold unless the configuration says otherwise.
const (
	DefaultConnections = 1000
	DefaultBody        = 8 << 20
	DefaultUnpacked    = 64 << 20
)

// ServerTLS protects a listener; at least TLS 1.2. Off if it is empty.
type ServerTLS struct {
	// CertFile and KeyFile are PEM files of the listener's certificate; the key's
	// has mode 0600.
	CertFile string `yaml:"cert_file,omitempty"`
	KeyFile  string `yaml:"key_file,omitempty"`
	// ClientCAFile is a PEM file of authorities; senders then have to show a
	// certificate of one of them.
	ClientCAFile string `yaml:"client_ca_file,omitempty"`
}

// On reports whether the listener is protected.
func (t *ServerTLS) On() bool { return t.CertFile != "" }

func (t *ServerTLS) paths() []*string { return []*string{&t.CertFile, &t.KeyFile, &t.ClientCAFile} }

func (t *ServerTLS) validate() error {
	switch {
	case t.CertFile == "" && (t.KeyFile != "" || t.ClientCAFile != ""):
		return fault("cert_file", "missing")
	case t.CertFile != "" && t.KeyFile == "":
		return fault("key_file", "missing")
	}
	return nil
}

func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, errPort := strconv.ParseUint(port, 10, 16)
	return err == nil && errPort == nil && host != "" && (n > 0 || port == "0")
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || (ip != nil && ip.IsLoopback()))
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}
