package masker

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/tallystick/tallystick/internal/broker"
)

// Config is the section masker of tallystick.yaml.
type Config struct {
	// Streams are the topics that are masked, each into another one.
	Streams []Stream `yaml:"streams,omitempty"`
}

// Stream masks one topic into another.
type Stream struct {
	// Name is the stream's in logs and metrics. Required.
	Name string `yaml:"name"`
	// Kafka is the cluster of all topics of the stream, as in the section kafka;
	// partitions does not count. Default: the section kafka.
	Kafka broker.Config `yaml:"kafka,omitempty"`
	// From is the topic that is read. Required.
	From string `yaml:"from"`
	// To is the topic that is written, one that no other stream and nobody else
	// writes to. It is created if it is missing; it needs at least as many
	// partitions as From, because a record keeps its partition. Required.
	To string `yaml:"to"`
	// Group is the consumer group. Default tallystick-masker-NAME.
	Group string `yaml:"group,omitempty"`
	// Policy is the name of one of masking.policies. Required.
	Policy string `yaml:"policy"`
	// Value says what values are, and Key what keys are. Keys are dropped unless
	// Key says something.
	Value Payload `yaml:"value"`
	Key   Payload `yaml:"key,omitempty"`
	// Headers are the transforms of headers by name, for example
	// {traceparent: keep, user: pseudonym}. The others are dropped.
	Headers map[string]string `yaml:"headers,omitempty"`
	// Registry is where schemas are. Required for Avro with framed.
	Registry Registry `yaml:"registry,omitempty"`
	// OnError says what becomes of a record that can't be masked: stop ends the
	// process, drop counts it and goes on, dead-letter writes its place and the
	// reason, nothing of it, to DeadLetter. Default stop.
	OnError string `yaml:"on_error,omitempty"`
	// DeadLetter is the topic for dead-letter, with as many partitions as From.
	DeadLetter string `yaml:"dead_letter,omitempty"`
	// MaxRecord is the largest key or value that is masked, in bytes. Default
	// and most 1000000.
	MaxRecord int `yaml:"max_record,omitempty"`
}

// Payload says what keys or values are.
type Payload struct {
	// Format is json, avro, protobuf or text. Structured ones are masked by the
	// policy's fields, text by its text.
	Format string `yaml:"format,omitempty"`
	// Framed: a schema registry's client wrote them, with its five bytes before
	// the rest. The bytes stay as they are.
	Framed bool `yaml:"framed,omitempty"`
	// Schema is the file of the Avro schema. Required for Avro without framed.
	Schema string `yaml:"schema,omitempty"`
	// Descriptors is a file that protoc --include_imports --descriptor_set_out
	// wrote, and Message the type in it. Required for Protobuf.
	Descriptors string `yaml:"descriptors,omitempty"`
	Message     string `yaml:"message,omitempty"`
	// Transform is what becomes of a whole key that is text, for example
	// pseudonym customer_id. For keys only, in place of Format.
	Transform string `yaml:"transform,omitempty"`
}

// Registry is a schema registry (Confluent's HTTP interface).
type Registry struct {
	// URL is its address, for example https://registry.example.org.
	URL string `yaml:"url,omitempty"`
	// User and PasswordFile, a file of mode 0600 with the password on its first
	// line, are for basic authentication. Optional.
	User         string `yaml:"user,omitempty"`
	PasswordFile string `yaml:"password_file,omitempty"`
	// CAFile is a PEM file of authorities. Default: the system's.
	CAFile string `yaml:"ca_file,omitempty"`
}

// What becomes of records that can't be masked.
const (
	onErrorStop       = "stop"
	onErrorDrop       = "drop"
	onErrorDeadLetter = "dead-letter"
)

// maxRecord leaves room for what masking and headers add.
const maxRecord = 1_000_000

var (
	streamName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	topicName  = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
)

// Paths are the paths in the section, to be resolved.
func (c *Config) Paths() (out []*string) {
	for i := range c.Streams {
		s := &c.Streams[i]
		out = append(out, &s.Value.Schema, &s.Value.Descriptors, &s.Key.Schema, &s.Key.Descriptors, &s.Registry.PasswordFile, &s.Registry.CAFile,
			&s.Kafka.TLS.CAFile, &s.Kafka.TLS.CertFile, &s.Kafka.TLS.KeyFile, &s.Kafka.SASL.PasswordFile)
	}
	return out
}

// Validate fills in defaults and reports the first fault, with the field's path.
// kafka is the cluster of the streams that name none.
func (c *Config) Validate(kafka broker.Config) error {
	seen := map[string]bool{}
	for i := range c.Streams {
		s := &c.Streams[i]
		at := fmt.Sprintf("masker.streams[%d].", i)
		if err := s.validate(at); err != nil {
			return err
		}
		for _, unique := range []string{"name " + s.Name, "topic " + s.To, "topic " + s.DeadLetter} {
			if seen[unique] && unique != "topic " {
				return fmt.Errorf("%sname: another stream has the %s already", at, unique)
			}
			seen[unique] = true
		}
	}
	way := circle(c.Streams, func(i int) []string {
		if own := c.Streams[i].Kafka.Addresses; len(own) > 0 {
			return own
		}
		return kafka.Addresses
	})
	if way != nil {
		return circleError(c.Streams, way)
	}
	return nil
}

func (s *Stream) validate(at string) error {
	if s.Group == "" {
		s.Group = "tallystick-masker-" + s.Name
	}
	if s.OnError == "" {
		s.OnError = onErrorStop
	}
	if s.MaxRecord == 0 {
		s.MaxRecord = maxRecord
	}
	switch {
	case !streamName.MatchString(s.Name):
		return fmt.Errorf("%sname: %q is no name of small letters, digits and dashes", at, s.Name)
	case !topicName.MatchString(s.From):
		return fmt.Errorf("%sfrom: %q is no topic", at, s.From)
	case !topicName.MatchString(s.To):
		return fmt.Errorf("%sto: %q is no topic", at, s.To)
	case s.To == s.From || s.DeadLetter == s.From || s.DeadLetter != "" && s.DeadLetter == s.To:
		return fmt.Errorf("%sto: from, to and dead_letter have to be different topics", at)
	case s.Policy == "":
		return fmt.Errorf("%spolicy: missing; the name of one of masking.policies", at)
	case !slices.Contains([]string{onErrorStop, onErrorDrop, onErrorDeadLetter}, s.OnError):
		return fmt.Errorf("%son_error: %q is none of stop, drop, dead-letter", at, s.OnError)
	case s.OnError == onErrorDeadLetter && !topicName.MatchString(s.DeadLetter):
		return fmt.Errorf("%sdead_letter: %q is no topic", at, s.DeadLetter)
	case s.OnError != onErrorDeadLetter && s.DeadLetter != "":
		return fmt.Errorf("%sdead_letter: on_error is %s", at, s.OnError)
	case s.MaxRecord < 1 || s.MaxRecord > maxRecord:
		return fmt.Errorf("%smax_record: %d is not between 1 and %d", at, s.MaxRecord, maxRecord)
	case s.Value.Format == "":
		return fmt.Errorf("%svalue.format: missing; one of json, avro, protobuf, text", at)
	case s.Value.Transform != "":
		return fmt.Errorf("%svalue.transform: is for keys", at)
	case s.Key.Transform != "" && s.Key != (Payload{Transform: s.Key.Transform}):
		return fmt.Errorf("%skey.transform: takes the place of the other fields", at)
	}
	if err := s.Value.validate(at+"value.", &s.Registry); err != nil {
		return err
	}
	if err := s.Key.validate(at+"key.", &s.Registry); err != nil {
		return err
	}
	return s.Registry.validate(at + "registry.")
}

func (p *Payload) validate(at string, r *Registry) error {
	switch p.Format {
	case "avro":
		switch {
		case p.Framed && r.URL == "":
			return fmt.Errorf("%sframed: Avro with a registry's frame needs registry.url", at)
		case p.Framed == (p.Schema != ""):
			return fmt.Errorf("%sschema: Avro needs either framed or schema", at)
		}
	case "protobuf":
		if p.Descriptors == "" || p.Message == "" {
			return fmt.Errorf("%sdescriptors: Protobuf needs descriptors and message", at)
		}
	case "json", "text":
	case "":
		if *p != (Payload{Transform: p.Transform}) {
			return fmt.Errorf("%sformat: missing; one of json, avro, protobuf, text", at)
		}
	default:
		return fmt.Errorf("%sformat: %q is none of json, avro, protobuf, text", at, p.Format)
	}
	switch {
	case p.Format != "avro" && p.Schema != "":
		return fmt.Errorf("%sschema: is for Avro", at)
	case p.Format != "protobuf" && (p.Descriptors != "" || p.Message != ""):
		return fmt.Errorf("%sdescriptors: is for Protobuf", at)
	case p.Format == "text" && p.Framed:
		return fmt.Errorf("%sframed: text has no frame", at)
	}
	return nil
}

func (r *Registry) validate(at string) error {
	if *r == (Registry{}) {
		return nil
	}
	u, err := url.Parse(r.URL)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "":
		return fmt.Errorf("%surl: not an http or https address without a password", at)
	case (r.User == "") != (r.PasswordFile == ""):
		return fmt.Errorf("%suser: user and password_file go together", at)
	case r.User != "" && u.Scheme == "http" && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()):
		return fmt.Errorf("%surl: must be https where a password goes over the network", at)
	}
	r.URL = strings.TrimRight(r.URL, "/")
	return nil
}
