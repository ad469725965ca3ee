package broker

import "context"

// Offsets returns the first offset of a partition and one past the last.
func (c *Client) Offsets(ctx context.Context, topic string, partition int) (int64, int64, error) {
	return c.offsets(ctx, topic, partition)
}
