package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/tallystick/tallystick/internal/text"
)

// offsets returns the first offset of a partition and one past the last.
func (c *Client) offsets(ctx context.Context, topic string, partition int) (first, last int64, err error) {
	r, err := c.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
		topic: {kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)},
	}})
	if err != nil {
		return 0, 0, err
	}
	for _, p := range r.Topics[topic] {
		if p.Partition == partition {
			return p.FirstOffset, p.LastOffset, p.Error
		}
	}
	return 0, 0, kafka.UnknownTopicOrPartition
}

// DeleteBelow deletes the messages of a partition below offset, except the
// last of the partition: a broker that is left with none and ends uncleanly
// may begin again at offset 0, and the stored positions would be wrong.
func (c *Client) DeleteBelow(ctx context.Context, topic string, partition int, offset int64) error {
	first, last, err := c.offsets(ctx, topic, partition)
	if err != nil {
		return failed("delete from", topic, err)
	}
	offset = min(offset, last-1)
	if offset <= first {
		return nil
	}
	m, err := c.transport.RoundTrip(ctx, c.client.Addr, &deleteRecordsRequest{
		TimeoutMs: int32(requestTimeout.Milliseconds() / 2),
		Topics: []deleteRecordsTopic{{Name: topic, Partitions: []deleteRecordsPartition{{
			Index: int32(partition), Offset: offset,
		}}}},
	})
	if err != nil {
		return failed("delete from", topic, err)
	}
	for _, t := range m.(*deleteRecordsResponse).Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				return &text.Hint{
					Err:  fmt.Errorf("failed to delete from %s: %w", topic, kafka.Error(p.ErrorCode)),
					Hint: "allow the user to delete records of the topic, and leave its cleanup.policy at delete",
				}
			}
		}
	}
	return nil
}

// Backlog is what a group has not committed of a topic.
type Backlog struct {
	Messages int64
	// Bytes counts what this client produced exactly; other messages count as
	// the average of those, or as 1,000,000 bytes if there is none. So a tap
	// that starts anew errs to the side of waiting.
	Bytes int64
}

// unknownSize is what a message counts as when nothing is known.
const unknownSize = 1_000_000

// Backlog returns what group has not committed of topic. A tap asks before it
// reads on.
func (c *Client) Backlog(ctx context.Context, group, topic string) (Backlog, error) {
	var out Backlog
	parts, err := c.partitionsOf(ctx, topic)
	if err != nil {
		return out, failed("measure the backlog of", topic, err)
	}
	committed, err := c.committed(ctx, group, topic, parts)
	if err != nil {
		return out, failed("measure the backlog of", topic, err)
	}
	for _, p := range parts {
		first, last, err := c.offsets(ctx, topic, p)
		if err != nil {
			return out, failed("measure the backlog of", topic, err)
		}
		from := max(first, committed[p])
		if last <= from {
			continue
		}
		c.mu.Lock()
		s := c.sent[place{topic, p}]
		n := s.unread(from, last)
		c.mu.Unlock()
		out.Messages += last - from
		out.Bytes += n
	}
	return out, nil
}

// committed is what a group committed of each partition; -1, or nothing, where
// it committed nothing.
func (c *Client) committed(ctx context.Context, group, topic string, parts []int) (map[int]int64, error) {
	r, err := c.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: parts}})
	if err == nil {
		err = r.Error
	}
	if errors.Is(err, kafka.GroupIdNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[int]int64{}
	for _, p := range r.Topics[topic] {
		out[p.Partition] = p.CommittedOffset
	}
	return out, nil
}

// Ends are one past the last offset of each partition of topic.
func (c *Client) Ends(ctx context.Context, topic string) ([]int64, error) {
	parts, err := c.partitionsOf(ctx, topic)
	if err != nil {
		return nil, failed("find the end of", topic, err)
	}
	ends := make([]int64, len(parts))
	for i, p := range parts {
		if _, ends[i], err = c.offsets(ctx, topic, p); err != nil {
			return nil, failed("find the end of", topic, err)
		}
	}
	return ends, nil
}

// Passed reports whether a group has committed everything below ends.
func (c *Client) Passed(ctx context.Context, group, topic string, ends []int64) (bool, error) {
	parts, err := c.partitionsOf(ctx, topic)
	var committed map[int]int64
	if err == nil {
		committed, err = c.committed(ctx, group, topic, parts)
	}
	if err != nil {
		return false, failed("find the group's place in", topic, err)
	}
	for p, end := range ends {
		if end > max(committed[p], 0) {
			return false, nil
		}
	}
	return true, nil
}

const maxSizes = 1 << 14

// sentSizes remembers the sizes of the last messages produced to a partition.
type sentSizes struct {
	offsets []int64 // ascending but for retries
	sizes   []int
	count   int64 // of all messages ever, for the average
	total   int64
}

func (s *sentSizes) add(offset int64, size int) {
	if len(s.offsets) >= maxSizes {
		n := copy(s.offsets, s.offsets[maxSizes/2:])
		copy(s.sizes, s.sizes[maxSizes/2:])
		s.offsets, s.sizes = s.offsets[:n], s.sizes[:n]
	}
	s.offsets, s.sizes = append(s.offsets, offset), append(s.sizes, size)
	s.count++
	s.total += int64(size)
}

// unread is the size of the messages in [from, until). A nil s knows nothing.
func (s *sentSizes) unread(from, until int64) int64 {
	if s == nil || s.count == 0 {
		return (until - from) * unknownSize
	}
	var known, bytes int64
	for i, o := range s.offsets {
		if o >= from && o < until {
			known++
			bytes += int64(s.sizes[i])
		}
	}
	return bytes + max(until-from-known, 0)*(s.total/s.count)
}

// The messages of DeleteRecords (API key 21, versions 0 and 1), which kafka-go
// lacks: https://kafka.apache.org/protocol.html#The_Messages_DeleteRecords.
type deleteRecordsRequest struct {
	Topics    []deleteRecordsTopic `kafka:"min=v0,max=v1"`
	TimeoutMs int32                `kafka:"min=v0,max=v1"`
}

type deleteRecordsTopic struct {
	Name       string                   `kafka:"min=v0,max=v1"`
	Partitions []deleteRecordsPartition `kafka:"min=v0,max=v1"`
}

type deleteRecordsPartition struct {
	Index  int32 `kafka:"min=v0,max=v1"`
	Offset int64 `kafka:"min=v0,max=v1"`
}

type deleteRecordsResponse struct {
	ThrottleTimeMs int32                 `kafka:"min=v0,max=v1"`
	Topics         []deletedRecordsTopic `kafka:"min=v0,max=v1"`
}

type deletedRecordsTopic struct {
	Name       string                    `kafka:"min=v0,max=v1"`
	Partitions []deletedRecordsPartition `kafka:"min=v0,max=v1"`
}

type deletedRecordsPartition struct {
	Index        int32 `kafka:"min=v0,max=v1"`
	LowWatermark int64 `kafka:"min=v0,max=v1"`
	ErrorCode    int16 `kafka:"min=v0,max=v1"`
}

// ApiKey names the request to kafka-go.
func (*deleteRecordsRequest) ApiKey() protocol.ApiKey { return protocol.DeleteRecords }

// ApiKey names the response to kafka-go.
func (*deleteRecordsResponse) ApiKey() protocol.ApiKey { return protocol.DeleteRecords }

// Broker routes the request to the partition's leader.
func (r *deleteRecordsRequest) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	return leaderOf(cluster, r.Topics[0].Name, r.Topics[0].Partitions[0].Index)
}

func leaderOf(cluster protocol.Cluster, name string, partition int32) (protocol.Broker, error) {
	topic, ok := cluster.Topics[name]
	if !ok {
		return protocol.Broker{}, protocol.NewErrNoTopic(name)
	}
	p, ok := topic.Partitions[partition]
	if !ok {
		return protocol.Broker{}, protocol.NewErrNoPartition(name, partition)
	}
	return cluster.Brokers[p.Leader], nil
}

var _ protocol.BrokerMessage = (*deleteRecordsRequest)(nil)

// registerProtocol adds DeleteRecords to kafka-go's table of messages, and puts
// our Fetch in place of its own. The table is the process's: once, before the
// first connection.
var registerProtocol = sync.OnceFunc(func() {
	protocol.Register(&deleteRecordsRequest{}, &deleteRecordsResponse{})
	protocol.Register(&fetchRequest{}, &fetchResponse{})
})

// Read hands the messages of a partition with from <= offset < until to handle,
// those that the broker still has, outside any group. A refused batch is one
// message.
func (c *Client) Read(ctx context.Context, topic string, partition int, from, until int64, handle func(Message) error) error {
	first, last, err := c.offsets(ctx, topic, partition)
	if err != nil {
		return failed("read from", topic, err)
	}
	from, until = max(from, first), min(until, last)
	p := &Partition{ID: partition, client: c, topic: topic, start: from, wait: firstBackoff}
	defer p.close()
	for at := from; at < until; {
		m, err := p.Fetch(ctx)
		if err != nil {
			return err
		}
		if m.Offset >= until {
			return nil
		}
		if err := handle(m); err != nil {
			return err
		}
		at = m.Next()
	}
	return nil
}
