package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Transport is the engine as a transport of HTTP requests; scheme and host of
// a request are ignored. When a request's context ends RoundTrip returns at
// once, and what already runs ends in the background.
func (e *Engine) Transport() http.RoundTripper { return transport{e} }

type transport struct{ e *Engine }

// maxQuery bounds the text of a statement that comes as a body. Data of an
// insert is streamed and has no bound.
const maxQuery = 64 << 20

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	body := req.Body
	if body == nil {
		body = http.NoBody
	}
	defer func() { _ = body.Close() }()
	st, err := parse(req.URL, req.Header, body)
	if err != nil {
		return nil, err
	}
	if isHello(st.sql) {
		return respond(req, http.StatusOK, io.NopCloser(bytes.NewReader(t.e.hello(req.URL.Query()))), st.format), nil
	}
	out, err := t.e.run(req.Context(), st)
	var ex exception
	switch {
	case errors.As(err, &ex):
		res := respond(req, http.StatusInternalServerError, io.NopCloser(strings.NewReader(string(ex)+"\n")), "")
		if m := codePattern.FindStringSubmatch(string(ex)); m != nil {
			res.Header.Set("X-ClickHouse-Exception-Code", m[1])
		}
		return res, nil
	case err != nil:
		return nil, err
	}
	return respond(req, http.StatusOK, out, st.format), nil
}

var codePattern = regexp.MustCompile(`^Code: (\d+)\.`)

func respond(req *http.Request, status int, body io.ReadCloser, format string) *http.Response {
	h := http.Header{"Content-Type": {"text/plain; charset=UTF-8"}}
	if format != "" {
		h.Set("Content-Type", "application/octet-stream")
		h.Set("X-ClickHouse-Format", format)
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: body, ContentLength: -1, Request: req,
	}
}

// notSettings are the parameters of a URL that are not settings of the
// statement.
var notSettings = map[string]bool{
	"query": true, "database": true, "default_format": true, "query_id": true, "user": true, "password": true,
	"client_protocol_version": true, "session_id": true, "session_timeout": true, "session_check": true,
	"quota_key": true, "wait_end_of_query": true, "buffer_size": true, "decompress": true, "compress": true,
	"enable_http_compression": true, "http_write_exception_in_output_format": true, "role": true,
}

var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// formatPattern finds the FORMAT clause at the end of an INSERT.
var formatPattern = regexp.MustCompile(`(?is)\s+FORMAT\s+([A-Za-z0-9_]+)\s*;?\s*$`)

// valuesPattern finds the word VALUES at the end of an INSERT.
var valuesPattern = regexp.MustCompile(`(?is)\s+VALUES\s*;?\s*$`)

// parse reads one statement from a request: from the parameter query with an
// insert's data in the body, or else from the body.
func parse(u *url.URL, h http.Header, body io.Reader) (statement, error) {
	q := u.Query()
	st := statement{sql: q.Get("query"), format: q.Get("default_format"), database: q.Get("database"), settings: map[string]string{}}
	for name, v := range q {
		if notSettings[name] {
			continue
		}
		if !namePattern.MatchString(name) {
			return st, fmt.Errorf("%q is not a setting of ClickHouse", name)
		}
		st.settings[name] = v[len(v)-1]
	}
	if enc := h.Get("Content-Encoding"); enc != "" && enc != "identity" || q.Get("decompress") == "1" || q.Get("compress") == "1" {
		return st, errors.New("the embedded ClickHouse takes and gives uncompressed data only")
	}
	if st.format == "" {
		st.format = "TabSeparated"
	}
	if hasPrefixFold(st.sql, "INSERT") {
		switch m := formatPattern.FindStringSubmatchIndex(st.sql); {
		case m != nil:
			st.format, st.sql, st.data = st.sql[m[2]:m[3]], st.sql[:m[0]], &guarded{r: body}
		case valuesPattern.MatchString(st.sql):
			st.format, st.sql, st.data = "Values", valuesPattern.ReplaceAllString(st.sql, ""), &guarded{r: body}
		}
		return st, nil
	}
	b, err := io.ReadAll(io.LimitReader(body, maxQuery+1))
	if err != nil {
		return st, err
	}
	if len(b) > maxQuery {
		return st, errors.New("the statement is longer than 64 MiB")
	}
	if st.sql != "" && len(b) > 0 {
		st.sql += "\n"
	}
	st.sql += string(b)
	return st, nil
}

func hasPrefixFold(s, prefix string) bool {
	s = strings.TrimLeft(s, " \t\r\n(")
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// run executes st in a goroutine of its own. When ctx ends it returns early: a
// statement that reads is killed, an insert takes no more data, and any other
// ends in the background. The goroutine then gives the slot free.
func (e *Engine) run(ctx context.Context, st statement) (io.ReadCloser, error) {
	if err := e.acquire(ctx); err != nil {
		return nil, err
	}
	stop := func() bool { return true }
	if st.selects() {
		mark := strconv.FormatUint(e.marks.Add(1), 10)
		st.settings[marker] = mark
		stop = context.AfterFunc(ctx, func() { e.kill(mark) })
	}
	type answer struct {
		out io.ReadCloser
		err error
	}
	done := make(chan answer, 1)
	go func() {
		out, err := e.execute(ctx, st, stop)
		done <- answer{out, err}
	}()
	select {
	case a := <-done:
		return a.out, a.err
	case <-ctx.Done():
		if st.data != nil {
			st.data.stop(ctx.Err())
		}
		go func() {
			if a := <-done; a.out != nil {
				_ = a.out.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// execute runs st and returns its output. The slot is given free with the
// session: at once, or when the output is closed. stop ends the watch over ctx.
func (e *Engine) execute(ctx context.Context, st statement, stop func() bool) (io.ReadCloser, error) {
	s, err := e.session(st)
	if err != nil {
		stop()
		e.release()
		return nil, err
	}
	if st.selects() {
		out, err := e.stream(ctx, s, st, stop)
		if !errors.Is(err, errNotStreamable) {
			return out, err
		}
	}
	defer e.release()
	var b []byte
	if st.data != nil {
		err = s.insert(st.sql, st.format, st.data)
	} else {
		b, err = s.run(st.sql, st.format)
	}
	if going := stop(); going && err == nil {
		e.kept.put(s)
	} else {
		s.close()
	}
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}
