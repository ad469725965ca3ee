package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/tallystick/tallystick/internal/text"
)

// ready finds the client's own topics, or makes those that are missing. After
// it has succeeded it does nothing. Callers may meet here: who comes second
// finds what the first has made.
func (c *Client) ready(ctx context.Context) error {
	c.mu.Lock()
	wanted := c.wanted
	c.mu.Unlock()
	if wanted == nil {
		return nil
	}
	for _, topic := range wanted {
		if err := c.ensureTopic(ctx, topic); err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.wanted = nil
	c.mu.Unlock()
	return nil
}

// awaitReady tries until the client is ready, ctx ends, or the cluster refuses.
func (c *Client) awaitReady(ctx context.Context) error {
	for wait := firstBackoff; ; wait = min(2*wait, maxBackoff) {
		err := c.ready(ctx)
		if err == nil || ctx.Err() != nil || !Passing(err) {
			return err
		}
		c.metrics.failures.WithLabelValues("open").Inc()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (c *Client) ensureTopic(ctx context.Context, topic string) error {
	_, err := c.partitionsOf(ctx, topic)
	if err == nil {
		return nil
	}
	if !errors.Is(err, kafka.UnknownTopicOrPartition) {
		return &text.Hint{
			Err:  failed("reach", fmt.Sprintf("Kafka at %v", c.cfg.Addresses), err),
			Hint: "check kafka.addresses, tls and sasl in tallystick.yaml, and that Kafka runs there",
		}
	}
	return c.create(ctx, topic, c.cfg.Partitions)
}

// create makes a topic with n partitions.
func (c *Client) create(ctx context.Context, topic string, n int) error {
	r, err := c.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: topic, NumPartitions: n, ReplicationFactor: c.cfg.Replication,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: fmt.Sprint(c.cfg.Retention.Milliseconds())}},
	}}})
	if err == nil {
		err = r.Errors[topic]
	}
	if errors.Is(err, kafka.TopicAlreadyExists) { // another process was faster
		return nil
	}
	if err != nil {
		return &text.Hint{
			Err:  failed("create topic", topic, err),
			Hint: "create it by hand, or allow the user to create topics",
		}
	}
	c.log.Info("created a topic", "topic", topic, "partitions", n)
	return nil
}
