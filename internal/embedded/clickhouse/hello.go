package clickhouse

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
)

// isHello recognises the first statement of clickhouse-go.
func isHello(sql string) bool {
	return strings.HasPrefix(sql, "SELECT displayName(), version(), revision(), timezone()")
}

// hello answers the driver's first statement in the version of the protocol
// that the driver asked for. Revision 0 makes it read every later block as
// plain Native, which is what libchdb writes.
func (e *Engine) hello(q url.Values) []byte {
	version, err := strconv.Atoi(q.Get("client_protocol_version"))
	if err != nil {
		version = 0
	}
	var name, release, zone proto.ColStr
	var revision proto.ColUInt32
	name.Append("embedded")
	release.Append(e.lib.version())
	revision.Append(0)
	zone.Append("UTC")
	in := proto.Input{
		{Name: "displayName()", Data: &name}, {Name: "version()", Data: &release},
		{Name: "revision()", Data: &revision}, {Name: "timezone()", Data: &zone},
	}
	var buf proto.Buffer
	b := proto.Block{Columns: len(in), Rows: 1}
	if err := b.EncodeBlock(&buf, version, in); err != nil {
		return nil // all columns have one row: it cannot fail
	}
	return buf.Buf
}
