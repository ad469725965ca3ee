package enrich

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/tallystick/tallystick/internal/text"
)

// latest is a time after all that the law tables know.
var latest = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	cacheSlots  = 1 << 15
	recordSlots = 1 << 12
	known       = 1 << 63
)

// Country is a country table in MaxMind's format, which answers by network: the
// first 24 bits of an IPv4 address, 48 of an IPv6 one. It is safe for
// concurrent use; nil knows no country.
type Country struct {
	reader *maxminddb.Reader
	codes  [26 * 26]string
	v4     [1 << 16]atomic.Pointer[[]run] // by the first 16 bits, once one of them was asked for
	whole  [1 + 26*26][]run               // by code, what most of v4 point to: 16 bits of one country
	v6     [cacheSlots]atomic.Uint64      // network<<16 | code
	// records are codes by the offset of their record: the table has few.
	records [recordSlots]atomic.Uint64 // known | offset<<16 | code
}

var _ Countries = (*Country)(nil)

// OpenCountry opens the table at path and holds it in memory. Without one,
// countries stay unknown: a caller warns and goes on with nil.
func OpenCountry(path string) (*Country, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &text.Hint{Err: fmt.Errorf("failed to find the country table: %w", err), Hint: "make fetch, or set country_table to a MaxMind DB file"}
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read the country table: %w", err)
	}
	t := &Country{}
	for i := range t.codes {
		t.codes[i] = string([]byte{byte('A' + i/26), byte('A' + i%26)})
	}
	for i := range t.whole {
		t.whole[i] = []run{{0, uint16(i)}}
	}
	if t.reader, err = maxminddb.OpenBytes(data); err != nil {
		return nil, fmt.Errorf("failed to open the country table %s: it is not in the MaxMind DB format: %w", path, err)
	}
	return t, nil
}

// Close frees the table. No look-up may follow or be under way.
func (t *Country) Close() error {
	if t == nil {
		return nil
	}
	return t.reader.Close()
}

// Release names the release of the table for chunk versions, "none" without
// one.
func (t *Country) Release() string {
	if t == nil {
		return "none"
	}
	return t.reader.Metadata.DatabaseType + " " + t.reader.Metadata.BuildTime().UTC().Format(time.DateOnly)
}

// Of is the country of the network of an address.
func (t *Country) Of(address string) string {
	if t == nil {
		return ""
	}
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	a = a.WithZone("").Unmap()
	if a.Is4() {
		b := a.As4()
		return t.name(t.of4(b[0], b[1], b[2]))
	}
	b := a.As16()
	network := uint64(b[0])<<40 | uint64(b[1])<<32 | uint64(b[2])<<24 | uint64(b[3])<<16 | uint64(b[4])<<8 | uint64(b[5])
	return t.name(t.of6(&t.v6[(network^network>>17)%cacheSlots], network<<16, a))
}

// name is the country with a code, "" for 0.
func (t *Country) name(code uint16) string {
	if code == 0 {
		return ""
	}
	return t.codes[code-1]
}

// of6 looks the network itself up, never the address, so that the answer does
// not depend on who came first.
func (t *Country) of6(slot *atomic.Uint64, network uint64, a netip.Addr) uint16 {
	v := slot.Load()
	if v == 0 || v&^0xffff != network {
		p, err := a.Prefix(48)
		if err != nil {
			return 0
		}
		v = network | uint64(t.find(t.reader.Lookup(p.Addr())))
		slot.Store(v)
	}
	return uint16(v)
}

// find returns 1 + the index of the country's code, 0 if it is not known.
func (t *Country) find(r maxminddb.Result) uint16 {
	if !r.Found() {
		return 0
	}
	at := uint64(r.Offset())
	slot := &t.records[(at^at>>12)%recordSlots]
	if v := slot.Load(); v&^0xffff == known|at<<16 {
		return uint16(v)
	}
	code := t.decode(r)
	slot.Store(known | at<<16 | uint64(code))
	return code
}

// decode returns the code of a record as find does.
func (t *Country) decode(r maxminddb.Result) uint16 {
	var code string
	for _, path := range [][]any{{"country", "iso_code"}, {"country_code"}} {
		if err := r.DecodePath(&code, path...); err == nil && len(code) == 2 {
			break
		}
	}
	if len(code) != 2 || code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z' {
		return 0
	}
	return 1 + uint16(code[0]-'A')*26 + uint16(code[1]-'A')
}
