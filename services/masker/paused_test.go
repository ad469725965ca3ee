package masker_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/services/masker"
)

// TestPaused stops a masker that has fetched records and waits for their schema,
// until another one has masked them. When it goes on it writes nothing.
func TestPaused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	var requests atomic.Int32
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) == 1 {
			close(asked)
			<-answer
		}
		_, _ = w.Write([]byte(`{"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"mail\",\"type\":\"string\"}]}"}`))
	}))
	defer registry.Close()
	s := stream(func(s *masker.Stream) {
		s.Value, s.Registry.URL = masker.Payload{Format: "avro", Framed: true}, registry.URL
	})
	record := broker.Message{Value: []byte("\x00\x00\x00\x00\x07\x02x")}
	r.produce("orders", 1, 0, record, record, record)
	var log buffer
	first := r.process(s, &log)
	<-asked
	if err := first.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	r.process(s, &log)
	r.exactly(&log, "masked", 0, 3, func(int) bool { return true })
	close(answer)
	if err := first.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	r.produce("orders", 1, 0, record)
	r.exactly(&log, "masked", 0, 4, func(int) bool { return true })
	waitUntil(t, "the first is in the group again", &log, func() bool { return requests.Load() >= 2 })
}
