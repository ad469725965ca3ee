package tap_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/services/tap"
)

// killed is set in a process that dies between produce and acknowledgement.
const killed = "TALLYSTICK_TEST_KILLED"

// diskKafka keeps messages in a file and kills the process after the nth.
type diskKafka struct {
	f    *os.File
	left int
}

func (k *diskKafka) Produce(_ context.Context, _ string, msgs ...broker.Message) error {
	for _, m := range msgs {
		for _, b := range [][]byte{m.Key, m.Value} {
			if _, err := k.f.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
				return err
			}
		}
		if k.left--; k.left == 0 {
			return errors.Join(k.f.Sync(), syscall.Kill(os.Getpid(), syscall.SIGKILL), errors.New("dead"))
		}
	}
	return nil
}

func readMessages(t *testing.T, path string) *kafka {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	k := newKafka()
	next := func() []byte {
		n := binary.BigEndian.Uint32(b)
		out := b[4 : 4+n]
		b = b[4+n:]
		return out
	}
	for len(b) > 0 {
		k.msgs = append(k.msgs, broker.Message{Key: next(), Value: next()})
	}
	return k
}

func TestKilledBetweenProduceAndAck(t *testing.T) {
	if dir := os.Getenv(killed); dir != "" {
		runUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	s := newSite(t, dir)
	const lines = 5000
	var out strings.Builder
	for i := range lines {
		fmt.Fprintf(&out, "line %d\n", i)
	}
	if err := os.WriteFile(filepath.Join(dir, "shop.log"), []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		cmd := exec.Command(self, "-test.run=^TestKilledBetweenProduceAndAck$")
		cmd.Env = append(os.Environ(), killed+"="+dir)
		out, err := cmd.CombinedOutput()
		if err == nil && n > 0 {
			break
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL || n > 50 {
			t.Fatalf("start %d: %v\n%s", n, err, out)
		}
	}
	k := readMessages(t, filepath.Join(dir, "messages"))
	got := k.lines(t, s)
	if len(got) != lines {
		t.Errorf("%d lines, want %d", len(got), lines)
	}
	again := -len(got)
	for _, m := range k.msgs {
		h, _, _, err := s.opener.Open(m.Value)
		if err != nil {
			t.Fatal(err)
		}
		again += int(h.Lines)
	}
	if again == 0 {
		t.Error("no line was sent again: the process did not die between produce and acknowledgement")
	}
}

// runUntilKilled dies at its fourth message; a start with fewer ends well.
func runUntilKilled(t *testing.T, dir string) {
	s := newSite(t, dir)
	f, err := os.OpenFile(filepath.Join(dir, "messages"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	state, err := file.OpenState(filepath.Join(dir, "positions"), s.prf)
	if err != nil {
		t.Fatal(err)
	}
	tp, err := tap.New(tap.Config{
		Host: "h1", Once: true, Files: []string{filepath.Join(dir, "shop.log")}, Sources: []source.Config{{Name: "shop"}},
		Tune: func(c *file.Config) { c.BatchLines, c.Again = 300, false }, // go on where the last start was killed
	}, tap.Deps{Sealer: s.sealer, Producer: &diskKafka{f: f, left: 4}, Site: s.prf, State: state})
	if err != nil {
		t.Fatal(err)
	}
	if err := tp.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := state.Close(); err != nil {
		t.Fatal(err)
	}
}
