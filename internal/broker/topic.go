package broker

import (
	"context"
	"errors"

	"github.com/segmentio/kafka-go"
)

// queueOfRecords is how many records of a topic are fetched ahead: access log
// records are small, and at most a megabyte.
const queueOfRecords = 32

// OpenTopic prepares a client that reads a topic of any cluster, and writes to
// those of deps by Append. It creates nothing by itself and does not connect: the
// cluster may be away. The caller closes.
func OpenTopic(cfg Config, topic string, deps Deps) (*Client, error) {
	c, err := newClient(cfg, deps, append([]string{topic}, deps.Topics...)...)
	if err != nil {
		return nil, err
	}
	c.queue = queueOfRecords
	return c, nil
}

// Cluster returns the id of the cluster, and fails where the topic is not there
// or may not be read.
func (c *Client) Cluster(ctx context.Context, topic string) (string, error) {
	m, err := c.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return "", failed("find", topic, err)
	}
	if len(m.Topics) != 1 || len(m.Topics[0].Partitions) == 0 && m.Topics[0].Error == nil {
		return "", failed("find", topic, kafka.UnknownTopicOrPartition)
	}
	if err := m.Topics[0].Error; err != nil {
		return "", failed("find", topic, err)
	}
	return m.ClusterID, nil
}

// Trouble is why the last attempt to join a group or to fetch failed; nil once
// one has gone well.
func (c *Client) Trouble() error {
	if err := c.trouble.Load(); err != nil {
		return *err
	}
	return nil
}

func (c *Client) failing(err error) { c.trouble.Store(&err) }

// SkipToEnd commits the end of each partition for a group that has committed
// nothing of topic, and does nothing for another. It is called before Consume.
func (c *Client) SkipToEnd(ctx context.Context, group, topic string) error {
	parts, err := c.partitionsOf(ctx, topic)
	if err != nil {
		return failed("find the end of", topic, err)
	}
	committed, err := c.committed(ctx, group, topic, parts)
	if err != nil {
		return failed("find the end of", topic, err)
	}
	for _, p := range parts {
		if offset, ok := committed[p]; ok && offset >= 0 {
			return nil
		}
	}
	last, err := c.Ends(ctx, topic)
	if err != nil {
		return err
	}
	ends := make([]kafka.OffsetCommit, len(parts))
	for i, p := range parts {
		ends[i] = kafka.OffsetCommit{Partition: p, Offset: last[i]}
	}
	done, err := c.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: ends},
	})
	if err != nil {
		return failed("commit the end of", topic, err)
	}
	for _, p := range done.Topics[topic] {
		if p.Error != nil {
			return failed("commit the end of", topic, p.Error)
		}
	}
	return nil
}

// Position is the next offset to be fetched; -1 for the first that there is.
func (p *Partition) Position() int64 { return max(p.start, -1) }

// Check compares the position with what the partition has: a *RangeError if it
// is not there any more. It brings HighWatermark up to date.
func (p *Partition) Check(ctx context.Context) error {
	first, last, err := p.client.offsets(ctx, p.topic, p.ID)
	if err != nil {
		return failed("look at", p.topic, err)
	}
	p.mu.Lock()
	p.high = max(p.high, last)
	p.mu.Unlock()
	if p.start >= 0 && (p.start < first || p.start > last) {
		return &RangeError{Asked: p.start, First: first, Last: last}
	}
	return nil
}

// First is the first offset that the partition has.
func (p *Partition) First(ctx context.Context) (int64, error) {
	first, _, err := p.client.offsets(ctx, p.topic, p.ID)
	if err != nil {
		return 0, failed("look at", p.topic, err)
	}
	return first, nil
}

// Passing reports whether err comes from a broker that is away or a group that
// changes: it passes by itself.
func Passing(err error) bool {
	var away *awayError
	return errors.As(err, &away)
}

// isControl tells the marker of a committed or aborted transaction, which
// kafka-go hands out like a message, by its form: a key of version 0 and type 0
// or 1, and a value of version 0 and four bytes
// (https://kafka.apache.org/documentation/#controlbatch).
func isControl(key, value []byte) bool {
	return len(key) == 4 && key[0]|key[1]|key[2] == 0 && key[3] <= 1 && len(value) == 6 && value[0]|value[1] == 0
}
