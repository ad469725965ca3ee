package source

// Kafka reads topics of a cluster as a consumer group.
type Kafka struct {
	// Addresses are host:port of the cluster's brokers. Required.
	Addresses []string `yaml:"addresses"`
	// Topic is read from the source's from on. Required.
	Topic string `yaml:"topic"`
	// Group is the consumer group. Default tallystick-NAME, with the source's
	// name.
	Group string `yaml:"group,omitempty"`
	// TLS protects the connection.
	TLS ClientTLS `yaml:"tls,omitempty"`
	// SASL authenticates with a password. Off by default.
	SASL SASL `yaml:"sasl,omitempty"`
}

// ClientTLS says how a connection to a server is protected; at least TLS 1.2.
type ClientTLS struct {
	Enabled bool `yaml:"enabled,omitempty"`
	// CAFile is a PEM file of authorities. Default: the system's.
	CAFile string `yaml:"ca_file,omitempty"`
	// CertFile and KeyFile are PEM files of the client's certificate, for mutual
	// TLS; the key's has mode 0600.
	CertFile string `yaml:"cert_file,omitempty"`
	KeyFile  string `yaml:"key_file,omitempty"`
	// ServerName is the name expected in the server's certificate. Default: the host of each address.
	ServerName string `yaml:"server_name,omitempty"`
}

// SASL says how a client authenticates.
type SASL struct {
	// Mechanism is plain, scram-sha-256 or scram-sha-512; empty for none.
	Mechanism string `yaml:"mechanism,omitempty"`
	User      string `yaml:"user,omitempty"`
	// PasswordFile is a file with the password on its first line, mode 0600.
	PasswordFile string `yaml:"password_file,omitempty"`
}

func (k *Kafka) paths() []*string {
	return []*string{&k.TLS.CAFile, &k.TLS.CertFile, &k.TLS.KeyFile, &k.SASL.PasswordFile}
}

func (k *Kafka) validate() error {
	if len(k.Addresses) == 0 {
		return fault("kafka.addresses", "missing")
	}
	loopback := true
	for _, a := range k.Addresses {
		if !isAddress(a) {
			return fault("kafka.addresses", "%q is not host:port", a)
		}
		loopback = loopback && isLoopback(a)
	}
	t := k.TLS
	switch {
	case k.Topic == "":
		return fault("kafka.topic", "missing")
	case (t.CertFile == "") != (t.KeyFile == ""):
		return fault("kafka.tls", "cert_file and key_file go together")
	case !t.Enabled && t != (ClientTLS{}):
		return fault("kafka.tls", "enabled is false, but other fields are set")
	}
	switch s := k.SASL; s.Mechanism {
	case "":
		if s != (SASL{}) {
			return fault("kafka.sasl.mechanism", "missing; one of plain, scram-sha-256, scram-sha-512")
		}
	case "plain", "scram-sha-256", "scram-sha-512":
		switch {
		case s.User == "":
			return fault("kafka.sasl.user", "missing")
		case s.PasswordFile == "":
			return fault("kafka.sasl.password_file", "missing")
		case !t.Enabled && !loopback:
			return fault("kafka.tls.enabled", "must be true where a password goes over the network")
		}
	default:
		return fault("kafka.sasl.mechanism", "%q is none of plain, scram-sha-256, scram-sha-512", s.Mechanism)
	}
	return nil
}
