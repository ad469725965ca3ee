package broker_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
	embedded "github.com/tallystick/tallystick/internal/embedded/broker"
)

const childDir = "TALLYSTICK_TEST_BROKER_DIR"

// TestMain is the child of TestKill when the variable is set: it produces for
// ever and prints each offset that was acknowledged, deleting as it goes.
func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := child(dir); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func child(dir string) error {
	ctx := context.Background()
	b, err := embedded.Start(dir)
	if err != nil {
		return err
	}
	c, err := broker.Open(ctx, brokertest.Config(b), broker.Deps{Log: discard})
	if err != nil {
		return err
	}
	part := broker.PartitionOf([]byte("key"), 2)
	_, at, err := c.Offsets(ctx, broker.Lines, part)
	if err != nil {
		return err
	}
	for ; ; at++ {
		if err := c.Produce(ctx, broker.Lines, msg("key", strconv.FormatInt(at, 10))); err != nil {
			return err
		}
		fmt.Println(at)
		if at%50 == 49 { // all but the last
			if err := c.DeleteBelow(ctx, broker.Lines, part, at+1); err != nil {
				return err
			}
		}
	}
}

// TestKill kills the broker's process in the middle and looks for what it had
// acknowledged: offsets never go back and nothing acknowledged is lost.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	last := int64(-1)
	for range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			at, err := strconv.ParseInt(strings.TrimSpace(lines.Text()), 10, 64)
			if err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
			if at <= last {
				t.Fatalf("offset %d came again after %d", at, last)
			}
			last = at
			if n == 120 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
	}
	b, err := embedded.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	c := brokertest.Open(t, brokertest.Config(b))
	ctx := context.Background()
	part := broker.PartitionOf([]byte("key"), 2)
	first, end, err := c.Offsets(ctx, broker.Lines, part)
	if err != nil {
		t.Fatal(err)
	}
	if end <= last || first > last {
		t.Fatalf("offset %d was acknowledged, the partition goes from %d to %d", last, first, end)
	}
	s := newSeen()
	consume(t, c, "auditor", s)
	for i, m := range s.wait(t, int(end-first)) {
		if m.Offset != first+int64(i) || string(m.Value) != fmt.Sprint(m.Offset) {
			t.Fatalf("message %d has offset %d", i, m.Offset)
		}
	}
}
