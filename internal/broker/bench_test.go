package broker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
)

// BenchmarkProduce sends messages of the size of a full batch, each synced.
func BenchmarkProduce(b *testing.B) {
	c := brokertest.Open(b, brokertest.Start(b))
	ctx := context.Background()
	value := make([]byte, 700_000)
	b.SetBytes(int64(len(value)))
	part := broker.PartitionOf([]byte("key"), 2)
	n := int64(0)
	for b.Loop() {
		if err := c.Produce(ctx, broker.Lines, broker.Message{Key: []byte("key"), Value: value}); err != nil {
			b.Fatal(err)
		}
		if n++; n%100 == 0 {
			if err := c.DeleteBelow(ctx, broker.Lines, part, n); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkFetch fetches 100 messages of the size of a full batch.
func BenchmarkFetch(b *testing.B) {
	c := brokertest.Open(b, brokertest.Start(b))
	ctx := context.Background()
	const n = 100
	value := make([]byte, 700_000)
	for range n {
		if err := c.Produce(ctx, broker.Lines, broker.Message{Key: []byte("key"), Value: value}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(value)) * n)
	end := errors.New("end")
	part := broker.PartitionOf([]byte("key"), 2)
	err := c.Consume(ctx, "bench", broker.Lines, func(ctx context.Context, p *broker.Partition) error {
		if p.ID != part {
			return nil
		}
		for b.Loop() {
			if err := p.Seek(ctx, 0); err != nil {
				return err
			}
			for range n {
				if _, err := p.Fetch(ctx); err != nil {
					return err
				}
			}
		}
		return end
	})
	if !errors.Is(err, end) {
		b.Fatal(err)
	}
}

// BenchmarkLatency is from before Produce to after Fetch, one message at a time.
func BenchmarkLatency(b *testing.B) {
	c := brokertest.Open(b, brokertest.Start(b))
	got := make(chan time.Time)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- c.Consume(ctx, "bench", broker.Lines, func(ctx context.Context, p *broker.Partition) error {
			for {
				if _, err := p.Fetch(ctx); err != nil {
					return err
				}
				got <- time.Now()
			}
		})
	}()
	for b.Loop() {
		if err := c.Produce(ctx, broker.Lines, broker.Message{Key: []byte("key"), Value: []byte("value")}); err != nil {
			b.Fatal(err)
		}
		<-got
	}
	stop()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
