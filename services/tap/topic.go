package tap

import (
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/kafka"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/masking/seal"
)

// topic opens a topic of the source's own cluster. Its streams have no host in
// their names: partitions move between the taps of a group.
func (t *Tap) topic(s *source.Config, l *lane) (*kafka.Reader, error) {
	k := s.Kafka
	cluster := broker.DefaultConfig()
	cluster.Addresses = k.Addresses
	cluster.TLS = broker.TLS(k.TLS)
	cluster.SASL = broker.SASL{Mechanism: k.SASL.Mechanism, User: k.SASL.User, PasswordFile: k.SASL.PasswordFile}
	group := k.Group
	if group == "" {
		group = "tallystick-" + s.Name
	}
	deps := l.readerDeps()
	deps.Name = func(parts ...string) string { return seal.StreamName(t.deps.Site, parts...) }
	return kafka.Open(kafka.Config{
		Source: s.Name, Cluster: cluster, Topic: k.Topic, Group: group, FromEnd: s.From == "end", BatchBytes: seal.TargetRaw,
	}, deps)
}
