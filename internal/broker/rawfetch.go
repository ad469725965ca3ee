package broker

import (
	"context"
	"encoding/binary"
	"io"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// batchAt gets batches of a partition as the broker has them. The first one has
// offset, and is whole.
func (c *Client) batchAt(ctx context.Context, topic string, partition int, offset int64) ([]byte, error) {
	m, err := c.transport.RoundTrip(ctx, c.client.Addr, &fetchRequest{
		ReplicaID: -1, MaxWaitTime: int32((requestTimeout / 10).Milliseconds()), MinBytes: 1, MaxBytes: 1, // of which there may be more: one batch at least comes whole
		Topics: []fetchTopic{{Topic: topic, Partitions: []fetchPartition{{Partition: int32(partition), FetchOffset: offset, PartitionMaxBytes: 1}}}},
	})
	if err != nil {
		return nil, err
	}
	r := m.(*fetchResponse)
	if r.ErrorCode != 0 {
		return nil, kafka.Error(r.ErrorCode)
	}
	if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
		return nil, kafka.UnknownTopicOrPartition
	}
	p := r.Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		return nil, kafka.Error(p.ErrorCode)
	}
	return p.Records, nil
}

// The messages of Fetch (API key 1, versions 4 to 11), whose records stay as they
// come: https://kafka.apache.org/protocol.html#The_Messages_Fetch. kafka-go's own
// decompress while they are decoded. Readers do not use either.
type fetchRequest struct {
	ReplicaID       int32            `kafka:"min=v4,max=v11"`
	MaxWaitTime     int32            `kafka:"min=v4,max=v11"`
	MinBytes        int32            `kafka:"min=v4,max=v11"`
	MaxBytes        int32            `kafka:"min=v4,max=v11"`
	IsolationLevel  int8             `kafka:"min=v4,max=v11"`
	SessionID       int32            `kafka:"min=v7,max=v11"`
	SessionEpoch    int32            `kafka:"min=v7,max=v11"`
	Topics          []fetchTopic     `kafka:"min=v4,max=v11"`
	ForgottenTopics []fetchForgotten `kafka:"min=v7,max=v11"`
	RackID          string           `kafka:"min=v11,max=v11"`
}

type fetchTopic struct {
	Topic      string           `kafka:"min=v4,max=v11"`
	Partitions []fetchPartition `kafka:"min=v4,max=v11"`
}

type fetchPartition struct {
	Partition          int32 `kafka:"min=v4,max=v11"`
	CurrentLeaderEpoch int32 `kafka:"min=v9,max=v11"`
	FetchOffset        int64 `kafka:"min=v4,max=v11"`
	LogStartOffset     int64 `kafka:"min=v5,max=v11"`
	PartitionMaxBytes  int32 `kafka:"min=v4,max=v11"`
}

type fetchForgotten struct {
	Topic      string  `kafka:"min=v7,max=v11"`
	Partitions []int32 `kafka:"min=v7,max=v11"`
}

type fetchResponse struct {
	ThrottleTimeMs int32          `kafka:"min=v4,max=v11"`
	ErrorCode      int16          `kafka:"min=v7,max=v11"`
	SessionID      int32          `kafka:"min=v7,max=v11"`
	Topics         []fetchedTopic `kafka:"min=v4,max=v11"`
}

type fetchedTopic struct {
	Topic      string             `kafka:"min=v4,max=v11"`
	Partitions []fetchedPartition `kafka:"min=v4,max=v11"`
}

type fetchedPartition struct {
	Partition            int32            `kafka:"min=v4,max=v11"`
	ErrorCode            int16            `kafka:"min=v4,max=v11"`
	HighWatermark        int64            `kafka:"min=v4,max=v11"`
	LastStableOffset     int64            `kafka:"min=v4,max=v11"`
	LogStartOffset       int64            `kafka:"min=v5,max=v11"`
	AbortedTransactions  []fetchedAborted `kafka:"min=v4,max=v11"`
	PreferredReadReplica int32            `kafka:"min=v11,max=v11"`
	Records              rawRecords       `kafka:"min=v4,max=v11"`
}

type fetchedAborted struct {
	ProducerID  int64 `kafka:"min=v4,max=v11"`
	FirstOffset int64 `kafka:"min=v4,max=v11"`
}

// rawRecords are batches as they came.
type rawRecords []byte

// ReadFrom implements io.ReaderFrom, by which kafka-go decodes the field.
func (b *rawRecords) ReadFrom(r io.Reader) (int64, error) {
	var size [4]byte
	if n, err := io.ReadFull(r, size[:]); err != nil {
		return int64(n), err
	}
	length := int64(int32(binary.BigEndian.Uint32(size[:])))
	if length <= 0 {
		return 4, nil
	}
	all, err := io.ReadAll(io.LimitReader(r, length))
	if err == nil && int64(len(all)) < length {
		err = io.ErrUnexpectedEOF
	}
	*b = all
	return 4 + int64(len(all)), err
}

// ApiKey names the request to kafka-go.
func (*fetchRequest) ApiKey() protocol.ApiKey { return protocol.Fetch }

// ApiKey names the response to kafka-go.
func (*fetchResponse) ApiKey() protocol.ApiKey { return protocol.Fetch }

// Broker routes the request to the partition's leader.
func (r *fetchRequest) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	return leaderOf(cluster, r.Topics[0].Topic, r.Topics[0].Partitions[0].Partition)
}

var _ protocol.BrokerMessage = (*fetchRequest)(nil)
