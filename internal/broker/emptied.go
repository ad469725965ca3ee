package broker

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// Of the last batch of an idempotent producer Kafka keeps the frame when
// compaction takes all its records. kafka-go's reader takes what follows such a
// batch for its records, and ends the process
// (https://github.com/segmentio/kafka-go/issues/1393). A sieve is a connection of
// a reader that puts a message of the same size, with the last offset of the
// frame, in the place of each. It leaves alone what it does not understand.
//
// After a batch that it can't decompress, kafka-go waits for bytes that it has had
// until its time is over. A sieve ends that: it knows when no answer is owed.
type sieve struct {
	net.Conn
	in *bufio.Reader

	// Of the goroutine that reads.
	pass    int // bytes that go through as they are before the next decision
	records int // bytes of the record set that follow them
	rest    int // bytes of the response that follow those

	// Of the goroutine that writes.
	skip int      // bytes of a request that follow
	head [12]byte // of a request
	have int      // bytes of head

	mu      sync.Mutex
	fetches map[uint32]uint16 // versions of the fetches under way by correlation id; guarded by mu
	open    int               // requests without a response; guarded by mu
	fetched bool              // the last response was that of a fetch; guarded by mu
}

func newSieve(c net.Conn) *sieve {
	return &sieve{Conn: c, in: bufio.NewReader(c), fetches: map[uint32]uint16{}}
}

// apiFetch is Kafka's number of the request.
const apiFetch = 1

// Write notes which requests are fetches.
func (s *sieve) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		if s.skip > 0 {
			n := min(s.skip, len(rest))
			s.skip, rest = s.skip-n, rest[n:]
			continue
		}
		n := copy(s.head[s.have:], rest)
		s.have, rest = s.have+n, rest[n:]
		if s.have < len(s.head) {
			break
		}
		be := binary.BigEndian
		s.mu.Lock()
		s.open++
		if be.Uint16(s.head[4:]) == apiFetch {
			s.fetches[be.Uint32(s.head[8:])] = be.Uint16(s.head[6:])
		}
		s.mu.Unlock()
		s.have, s.skip = 0, max(int(int32(be.Uint32(s.head[:])))-8, 0)
	}
	return s.Conn.Write(b)
}

// Read is the connection's, with the emptied batches replaced.
func (s *sieve) Read(b []byte) (int, error) {
	for s.pass == 0 && len(b) > 0 {
		var err error
		switch {
		case s.records > 0:
			err = s.batch()
		case s.rest > 0:
			s.pass, s.rest = s.rest, 0
		case !s.owed():
			err = io.ErrUnexpectedEOF
		default:
			err = s.response()
		}
		if err != nil {
			return 0, err
		}
	}
	n, err := s.in.Read(b[:min(len(b), s.pass)])
	s.pass -= n
	return n, err
}

// owed reports whether the broker has to answer, as far as is known: requests
// other than those of a reader may not be understood.
func (s *sieve) owed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open > 0 || !s.fetched
}

// batch looks at what comes next in a record set.
func (s *sieve) batch() error {
	if s.records < recordsAt {
		s.pass, s.records = s.records, 0 // cut off
		return nil
	}
	h, err := s.in.Peek(recordsAt)
	if err != nil {
		return err
	}
	be := binary.BigEndian
	size := int64(int32(be.Uint32(h[8:]))) + beforeItsSize
	if h[magicAt] != 2 || size < recordsAt {
		s.pass, s.records = s.records, 0 // older batches are never empty
		return nil
	}
	if size == recordsAt && be.Uint32(h[countAt:]) == 0 {
		fillIn(h)
	}
	s.pass = int(min(size, int64(s.records)))
	s.records -= s.pass
	return nil
}

// fillIn makes a frame a message of version 0, which is just as long:
// https://kafka.apache.org/documentation/#messageset.
func fillIn(h []byte) {
	be := binary.BigEndian
	last := be.Uint64(h) + uint64(be.Uint32(h[lastDeltaAt:]))
	clear(h)
	be.PutUint64(h, last)
	be.PutUint32(h[8:], recordsAt-beforeItsSize)
	be.PutUint32(h[18:], 4) // the key has four bytes, which are zero
	be.PutUint32(h[26:], uint32(len(emptied())))
	copy(h[30:], emptied())
}

// emptied is the value of a message that stands for an emptied batch: random, so
// that nobody else can write one.
var emptied = sync.OnceValue(func() string {
	b := make([]byte, recordsAt-30)
	_, _ = rand.Read(b) // never fails
	return string(b)
})

// isEmptied tells a message that stands for an emptied batch.
func isEmptied(key, value []byte) bool { return len(key) == 4 && string(value) == emptied() }

// response looks at the next response: how much of a fetch comes before its
// record set, of one topic and partition as the reader asks for.
func (s *sieve) response() error {
	be := binary.BigEndian
	h, err := s.in.Peek(8)
	if err != nil {
		return err
	}
	all := 4 + max(int(int32(be.Uint32(h))), 0)
	s.pass = all
	id := be.Uint32(h[4:])
	s.mu.Lock()
	version, ok := s.fetches[id]
	delete(s.fetches, id)
	s.open, s.fetched = s.open-1, ok
	s.mu.Unlock()
	if !ok {
		return nil
	}
	at := 12 // behind size, id and throttle time
	number := func(size int) (n int) {
		at += size
		if at > all || at > s.in.Size() {
			ok = false
		}
		if !ok || err != nil {
			return 0
		}
		if h, err = s.in.Peek(at); err != nil {
			return 0
		}
		if size == 2 {
			return int(int16(be.Uint16(h[at-2:])))
		}
		return int(int32(be.Uint32(h[at-4:])))
	}
	if version >= 7 {
		at += 6 // error and session
	}
	topics := number(4)
	at += max(number(2), 0) // name
	partitions := number(4)
	at += 4 + 2 + 8 // partition, error, high watermark
	if version >= 5 {
		at += 8 // start of the log
	}
	if version >= 4 {
		at += 8 // last stable offset
		at += 16 * max(number(4), 0)
	}
	records := number(4)
	if err != nil {
		return err
	}
	if ok && topics == 1 && partitions == 1 && records > 0 && at+records <= all {
		s.pass, s.records, s.rest = at, records, all-at-records
	}
	return nil
}
