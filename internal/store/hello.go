package store

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// helloTransport lets the driver's first statement of a connection speak the
// driver's protocol version. The driver opens connections under the context of
// the query that needs one, and with it under that query's settings; a raw
// read asks for version 0, which its own hello must not.
type helloTransport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t helloTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	if q.Get("client_protocol_version") != "0" || !isHello(req) {
		return t.next.RoundTrip(req)
	}
	q.Set("client_protocol_version", strconv.Itoa(clickhouse.ClientTCPProtocolVersion))
	out := req.Clone(req.Context())
	out.URL.RawQuery = q.Encode()
	return t.next.RoundTrip(out)
}

func isHello(req *http.Request) bool {
	const begin = "SELECT displayName()"
	if req.GetBody == nil {
		return false
	}
	body, err := req.GetBody()
	if err != nil {
		return false
	}
	defer func() { _ = body.Close() }()
	head := make([]byte, len(begin))
	n, _ := io.ReadFull(body, head)
	return strings.HasPrefix(string(head[:n]), begin)
}
