package enrich_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/tallystick/tallystick/audit/enrich"
	"github.com/tallystick/tallystick/internal/text"
)

// table writes a MaxMind DB (format 2.0) of networks and countries.
func table(t testing.TB, key string, networks map[string]string) string {
	t.Helper()
	type node [2]int // index of a node, or -1-offset of data, or 0 for nothing
	nodes := []node{{}}
	var data []byte
	str := func(b []byte, s string) []byte { return append(append(b, 0x40|byte(len(s))), s...) }
	for network, country := range networks {
		p := netip.MustParsePrefix(network)
		bits, at := p.Bits(), p.Addr().As16()
		if p.Addr().Is4() {
			bits += 96
			clear(at[:12]) // IPv4 lies at ::/96
		}
		record := -1 - len(data)
		if outer, inner, ok := strings.Cut(key, "."); ok {
			data = str(str(append(str(append(data, 0xe1), outer), 0xe1), inner), country)
		} else {
			data = str(str(append(data, 0xe1), key), country)
		}
		i := 0
		for bit := range bits {
			side := int(at[bit/8]>>(7-bit%8)) & 1
			if bit == bits-1 {
				nodes[i][side] = record
				break
			}
			if nodes[i][side] <= 0 {
				nodes = append(nodes, node{})
				nodes[i][side] = len(nodes) - 1
			}
			i = nodes[i][side]
		}
	}
	var out []byte
	for _, n := range nodes {
		for _, r := range n {
			v := r
			switch {
			case r == 0:
				v = len(nodes)
			case r < 0:
				v = len(nodes) + 16 + (-1 - r)
			}
			out = append(out, byte(v>>16), byte(v>>8), byte(v))
		}
	}
	out = append(append(out, make([]byte, 16)...), data...)
	out = append(out, "\xab\xcd\xefMaxMind.com"...)
	number := func(b []byte, name string, v uint16) []byte {
		return binary.BigEndian.AppendUint16(append(str(b, name), 0xa2), v)
	}
	out = append(out, 0xe6)
	out = binary.BigEndian.AppendUint32(append(str(out, "node_count"), 0xc4), uint32(len(nodes)))
	out = number(number(number(number(out, "record_size", 24), "ip_version", 6), "binary_format_major_version", 2), "binary_format_minor_version", 0)
	out = str(str(out, "database_type"), "test")
	path := filepath.Join(t.TempDir(), "country.mmdb")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCountry(t *testing.T) {
	for _, key := range []string{"country_code", "country.iso_code"} {
		c, err := enrich.OpenCountry(table(t, key, map[string]string{
			"192.0.2.0/24": "DE", "198.51.100.0/24": "BR", "203.0.113.0/25": "US", "2001:db8::/32": "FR", "10.0.0.0/8": "??",
		}))
		if err != nil {
			t.Fatal(err)
		}
		for address, want := range map[string]string{
			"192.0.2.7": "DE", "192.0.2.250": "DE", "198.51.100.1": "BR", "::ffff:192.0.2.7": "DE", "2001:db8:1::1": "FR", "2001:db9::1": "",
			"203.0.113.200": "US", // the network 203.0.113.0/24 counts as a whole
			"192.0.3.1":     "", "10.1.2.3": "", "not an address": "", "": "", "fe80::1%eth0": "",
		} {
			for range 2 {
				if got := c.Of(address); got != want {
					t.Errorf("%s, %s: got %q, want %q", key, address, got, want)
				}
			}
		}
		if !strings.HasPrefix(c.Release(), "test ") {
			t.Errorf("release %q", c.Release())
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoCountryTable(t *testing.T) {
	c, err := enrich.OpenCountry(filepath.Join(t.TempDir(), "none.mmdb"))
	if err == nil || text.HintOf(err) == "" {
		t.Fatalf("%v, %q", err, text.HintOf(err))
	}
	if c.Of("192.0.2.1") != "" || c.Release() != "none" || c.Close() != nil {
		t.Fatal("no table knows something")
	}
	path := filepath.Join(t.TempDir(), "bad.mmdb")
	if err := os.WriteFile(path, []byte("not a table"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := enrich.OpenCountry(path); err == nil || !strings.Contains(err.Error(), "MaxMind DB") {
		t.Fatal(err)
	}
}

// The cache must never answer with another network's country.
func TestCountryCache(t *testing.T) {
	networks, r := map[string]string{}, rand.New(rand.NewPCG(5, 6))
	want := map[netip.Addr]string{}
	for i := range 3000 {
		a := netip.AddrFrom4([4]byte{byte(11 + r.IntN(200)), byte(r.IntN(256)), byte(r.IntN(256)), 9})
		p, _ := a.Prefix(24)
		country := string([]byte{byte('A' + i%26), byte('A' + i/26%26)})
		if networks[p.String()] == "" {
			networks[p.String()] = country
			want[a] = country
		}
	}
	c, err := enrich.OpenCountry(table(t, "country_code", networks))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for a, w := range want {
				if got := c.Of(a.String()); got != w {
					t.Errorf("%s: got %q, want %q", a, got, w)
				}
			}
		})
	}
	wg.Wait()
}

// The runs of networks say what the table says of each network, those that are
// wider than 16 bits and narrower than 24 included.
func TestCountryOfEachNetwork(t *testing.T) {
	path := table(t, "country_code", map[string]string{
		"12.0.0.0/8": "US", "13.1.0.0/17": "BR", "13.1.200.0/24": "PT", "13.1.255.0/25": "FR", "13.1.254.128/25": "IT", "13.2.4.0/22": "DE", "13.3.0.0/16": "ES",
	})
	c, err := enrich.OpenCountry(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := maxminddb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = all.Close() }()
	countries := 0
	for _, top := range [][2]byte{{12, 0}, {12, 255}, {13, 0}, {13, 1}, {13, 2}, {13, 3}, {13, 4}} {
		for third := range 256 {
			network := netip.AddrFrom4([4]byte{top[0], top[1], byte(third), 0})
			var want string
			if err := all.Lookup(network).DecodePath(&want, "country_code"); err != nil {
				t.Fatal(err)
			}
			if want != "" {
				countries++
			}
			if got := c.Of(network.Next().String()); got != want {
				t.Fatalf("%s: got %q, want %q", network, got, want)
			}
		}
	}
	if want := 2*256 + 128 + 2 + 4 + 256; countries != want {
		t.Fatalf("%d networks have a country, want %d", countries, want)
	}
}

func BenchmarkCountry(b *testing.B) {
	c, err := enrich.OpenCountry(table(b, "country_code", map[string]string{"192.0.2.0/24": "DE"}))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Of("192.0.2.17")
	}
}
