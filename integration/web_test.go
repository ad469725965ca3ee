//go:build integration && linux

package integration_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// web is a client of a proxy and the server behind it. Requests differ in the
// size of their answers and in their status, so that sums tell them apart.
type web struct {
	t        *testing.T
	base     string // of the requests' URLs
	client   *http.Client
	upstream *httptest.Server
	served   atomic.Int64 // by the server behind
	seen     atomic.Int64 // by the client
	next     atomic.Int64 // number of the next request
}

// newWeb starts the server behind; the proxy's address follows by through or
// by.
func newWeb(t *testing.T) *web {
	t.Helper()
	w := &web{t: t}
	w.upstream = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.served.Add(1)
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		switch {
		case err != nil:
			rw.WriteHeader(http.StatusBadRequest)
			return
		case strings.Contains(r.URL.Path, "/refused/"):
			rw.WriteHeader(http.StatusForbidden)
		case strings.Contains(r.URL.Path, "/gone/"):
			rw.WriteHeader(http.StatusNotFound)
		}
		_, _ = rw.Write(make([]byte, n%977))
	}))
	t.Cleanup(w.upstream.Close)
	w.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

// backend is the address of the server behind.
func (w *web) backend() string { return strings.TrimPrefix(w.upstream.URL, "http://") }

// through sends requests to a reverse proxy.
func (w *web) through(addr string) { w.base = "http://" + addr }

// by sends requests for the server behind to a forward proxy.
func (w *web) by(addr string) {
	w.base = w.upstream.URL
	proxy := &url.URL{Scheme: "http", Host: addr}
	w.client.Transport.(*http.Transport).Proxy = func(*http.Request) (*url.URL, error) { return proxy, nil }
}

// Each worker rests between two requests: a load has to outlast the start of
// tallystick.
const (
	workers = 8
	rest    = 8 * time.Millisecond
)

func (w *web) send(n int) tally {
	var mu sync.Mutex
	out := tally{}
	var wg sync.WaitGroup
	last := w.next.Load() + int64(n)
	for range workers {
		wg.Go(func() {
			pace := time.NewTicker(rest)
			defer pace.Stop()
			for {
				k := w.next.Add(1)
				if k > last {
					return
				}
				status := w.get(k)
				w.seen.Add(1)
				mu.Lock()
				out[status]++
				mu.Unlock()
				<-pace.C
			}
		})
	}
	wg.Wait()
	w.next.Store(last)
	return out
}

func (w *web) get(k int64) (status string) {
	kind := "customers"
	switch k % 25 {
	case 7:
		kind = "refused"
	case 11:
		kind = "gone"
	}
	resp, err := w.client.Get(fmt.Sprintf("%s/v1/%s/%d?n=%d", w.base, kind, 1000+k%700, k))
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	if err != nil {
		w.t.Errorf("request %d: %v", k, err)
		return "failed"
	}
	return strconv.Itoa(resp.StatusCode)
}

func (w *web) answered() int64 { return w.seen.Load() }

// field is the number in the nth word of a line, counted from 0.
func field(t *testing.T, n int) func(line string) int64 {
	return func(line string) int64 {
		words := strings.Fields(line)
		if len(words) <= n {
			t.Errorf("a line has %d words", len(words))
			return 0
		}
		v, err := strconv.ParseInt(words[n], 10, 64)
		if err != nil && words[n] != "-" {
			t.Error(err)
		}
		return v
	}
}

// overHTTP are the entries of a proxy.
func overHTTP(t *testing.T, source string, size int) tailed {
	return tailed{source: source, came: "toString(status_code)", where: "protocol = 'http'", bytes: field(t, size), lines: 1}
}
