package clickhouse

import (
	"context"
	"errors"
	"io"
	"strings"
)

// errNotStreamable says that the engine runs a statement only as a whole.
var errNotStreamable = errors.New("the statement cannot be streamed")

// stream is the output of a SELECT, fetched chunk by chunk as it is read. One
// goroutine reads and closes it.
type stream struct {
	ctx    context.Context // of the request
	stop   func() bool     // ends the watch over ctx
	e      *Engine
	s      *session
	result uintptr
	chunk  []byte
	err    error // io.EOF at the end
	closed bool
}

// stream starts a SELECT and fetches its first chunk, so that an early error
// is an error of the statement. With errNotStreamable the session stays open.
func (e *Engine) stream(ctx context.Context, s *session, st statement, stop func() bool) (io.ReadCloser, error) {
	r := s.lib.streamQuery(handle(s.conn), st.sql, uintptr(len(st.sql)), st.format, uintptr(len(st.format)))
	if err := s.lib.failure(r); err != nil {
		s.destroy(r)
		if strings.Contains(err.Error(), "Streaming query is not supported") {
			return nil, errNotStreamable
		}
		stop()
		s.close()
		e.release()
		return nil, err
	}
	out := &stream{ctx: ctx, stop: stop, e: e, s: s, result: r}
	out.next()
	if out.err != nil && out.err != io.EOF {
		err := out.err
		_ = out.Close()
		return nil, err
	}
	return out, nil
}

// next fetches the next chunk or sets err.
func (o *stream) next() {
	lib := o.s.lib
	r := lib.fetch(handle(o.s.conn), o.result)
	defer o.s.destroy(r)
	if o.err = lib.failure(r); o.err != nil {
		return
	}
	if o.chunk = lib.bytes(r); len(o.chunk) == 0 {
		o.err = io.EOF
	}
}

func (o *stream) Read(p []byte) (int, error) {
	if o.closed {
		return 0, errors.New("read after close")
	}
	for len(o.chunk) == 0 {
		if o.err != nil {
			return 0, o.err
		}
		if err := o.ctx.Err(); err != nil {
			return 0, err
		}
		o.next()
	}
	n := copy(p, o.chunk)
	o.chunk = o.chunk[n:]
	return n, nil
}

// Close ends the statement if it still runs and gives its slot free.
func (o *stream) Close() error {
	if o.closed {
		return nil
	}
	o.closed = true
	going := o.stop() // else it is being killed
	if o.err == nil {
		o.s.lib.cancelQuery(handle(o.s.conn), o.result)
	}
	o.s.destroy(o.result)
	if going && o.err == io.EOF {
		o.e.kept.put(o.s)
	} else {
		o.s.close()
	}
	o.e.release()
	return nil
}
