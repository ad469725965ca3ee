package services

import (
	"github.com/tallystick/tallystick/internal/embedded/broker"
	"github.com/tallystick/tallystick/internal/strictyaml"
)

// validateKafka checks the section of a cluster, and that no setting of one
// stands where the embedded broker would ignore it.
func (c *Config) validateKafka(d *strictyaml.Doc) error {
	k := &c.Kafka
	if len(k.Addresses) > 0 {
		if err := k.Validate(); err != nil {
			return section(d, "kafka", err)
		}
		return nil
	}
	const hint = "leave it out, or set kafka.addresses to use a cluster"
	switch {
	case k.Partitions != 0 && k.Partitions != broker.Partitions:
		return d.Fault("kafka.partitions", hint, "kafka.partitions: topics of the embedded broker have %d partitions, always", broker.Partitions)
	case k.Replication > 1:
		return d.Fault("kafka.replication", hint, "kafka.replication: the embedded broker is one node, and keeps nothing twice")
	}
	return nil
}
