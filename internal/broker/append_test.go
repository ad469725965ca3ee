package broker_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
)

func TestAppend(t *testing.T) {
	cfg := brokertest.Start(t)
	c, err := broker.OpenTopic(cfg, "one", broker.Deps{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	fmt.Println(c.Ensure(ctx, "one", 2))
	a, err := c.NewAppender(ctx, "one", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Append(ctx, []broker.Message{{Key: []byte("k"), Value: []byte("v")}}); err != nil {
		t.Fatal(err)
	}
}
