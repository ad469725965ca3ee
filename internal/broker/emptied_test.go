package broker_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/tallystick/tallystick/internal/broker"
)

// wire is a connection whose other end has said everything already, and is
// heard in pieces.
type wire struct {
	net.Conn
	said bytes.Buffer
	rng  *rand.Rand
}

func (w *wire) Write(b []byte) (int, error) { return len(b), nil }

func (w *wire) Read(b []byte) (int, error) {
	return w.said.Read(b[:min(len(b), 1+w.rng.IntN(90))])
}

// batchOf is a record batch whose records are body.
func batchOf(first int64, last, count int, body []byte) []byte {
	be := binary.BigEndian
	b := make([]byte, 61)
	be.PutUint64(b, uint64(first))
	be.PutUint32(b[8:], uint32(49+len(body)))
	b[16] = 2
	be.PutUint32(b[23:], uint32(last))
	be.PutUint32(b[57:], uint32(count))
	return append(b, body...)
}

// fetched is a response to a fetch.
func fetched(id, version int, records []byte) []byte {
	be := binary.BigEndian
	b := be.AppendUint32(nil, uint32(id))
	b = be.AppendUint32(b, 0)
	if version >= 7 {
		b = append(b, make([]byte, 6)...)
	}
	b = append(be.AppendUint32(b, 1), "\x00\x06orders"...)
	b = be.AppendUint32(b, 1)
	b = append(b, make([]byte, 4+2+8)...)
	if version >= 4 {
		b = append(b, make([]byte, 8+8)...)
		b = append(be.AppendUint32(b, 2), make([]byte, 32)...) // aborted transactions
	}
	b = append(be.AppendUint32(b, uint32(len(records))), records...)
	return append(be.AppendUint32(nil, uint32(len(b))), b...)
}

func asked(key, version, id int) []byte {
	be := binary.BigEndian
	b := be.AppendUint16(be.AppendUint16(nil, uint16(key)), uint16(version))
	b = append(be.AppendUint32(b, uint32(id)), "\x00\x01cand whatever"...)
	return append(be.AppendUint32(nil, uint32(len(b))), b...)
}

// TestEmptiedBatches: a reader's connection carries every byte as it came, but
// for the batches of fetches that have no record.
func TestEmptiedBatches(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		w := &wire{rng: rng}
		c := broker.Sieved(w)
		var want, requests []byte
		for id := range 6 {
			version := []int{2, 5, 10}[rng.IntN(3)]
			key := 1
			if rng.IntN(3) == 0 {
				key = 3 // its response is none of ours, whatever it looks like
			}
			requests = append(requests, asked(key, version, id)...)
			n, cut := rng.IntN(6), 0
			if n > 0 && rng.IntN(2) == 0 {
				cut = rng.IntN(61) // Kafka cuts off what is too much
			}
			var records, sieved []byte
			for i := range n {
				b := batchOf(int64(100*i), 4, 0, nil)
				if rng.IntN(2) == 0 {
					b = batchOf(int64(100*i), 4, 1+rng.IntN(3), make([]byte, rng.IntN(20000)))
				}
				records = append(records, b...)
				if whole := i < n-1 || cut == 0; key == 1 && whole && binary.BigEndian.Uint32(b[57:]) == 0 {
					b = filledIn(t, int64(100*i+4))
				}
				sieved = append(sieved, b...)
			}
			w.said.Write(fetched(id, version, records[:len(records)-cut]))
			want = append(want, fetched(id, version, sieved[:len(sieved)-cut])...)
		}
		for len(requests) > 0 {
			n := min(len(requests), 1+rng.IntN(30))
			if _, err := c.Write(requests[:n]); err != nil {
				t.Fatal(err)
			}
			requests = requests[n:]
		}
		_, _ = c.Write(asked(3, 1, 9)) // has no answer yet
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %v, %d bytes, want %d", seed, err, len(got), len(want))
		}
	}
}

// filledIn is the message that stands for a batch up to an offset, as a reader
// gets it.
func filledIn(t *testing.T, last int64) []byte {
	t.Helper()
	w := &wire{rng: rand.New(rand.NewPCG(1, 1))}
	c := broker.Sieved(w)
	_, _ = c.Write(asked(1, 10, 1))
	w.said.Write(fetched(1, 10, batchOf(last-4, 4, 0, nil)))
	all, err := io.ReadAll(c)
	if !errors.Is(err, io.ErrUnexpectedEOF) || len(all) < 61 { // nothing more is asked for: who waits has lost count
		t.Fatalf("%d bytes, %v", len(all), err)
	}
	m := all[len(all)-61:]
	be := binary.BigEndian
	if be.Uint64(m) != uint64(last) || be.Uint32(m[8:]) != 49 || m[16] != 0 || be.Uint32(m[18:]) != 4 || be.Uint32(m[26:]) != 31 || !broker.IsEmptied(m[22:26], m[30:]) {
		t.Fatal(fmt.Errorf("not a message: %x", m))
	}
	return m
}
