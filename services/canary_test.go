package services_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"
)

// canary is a value that may leave memory in no form. Only its label is ever
// reported.
type canary struct{ label, value string }

// canaries are what people's lives leave in access logs.
var canaries = []canary{
	{"e-mail address", "zoe.quillfeather@canary-mail.example"},
	{"local part of an e-mail address", "ottilie.federkiel"},
	{"name as user", "Quirin.Zauberlehrling"},
	{"name with a space", "Henriette Wolkenbruch"},
	{"IPv4 address of a client", "203.0.113.217"},
	{"IPv4 address behind a proxy", "198.51.100.173"},
	{"IPv6 address", "2001:db8:77a1:9c3e:5bd2:41ff:fe0c:93d7"},
	{"card", "4556737586899855"},
	{"customer id", "KND-77319-05288X"},
	{"number of a patient", "7731905288416"},
	{"session id", "Zx9Qv7LkT2mWp4RbHn8"},
	{"request id", "0b7d8f52-6f0e-4d0b-9c53-7731905288aa"},
	{"free text", "coughs at night since the accident"},
	{"bearer token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ6b2UifQ.c2lnbmF0dXJlLWNhbmFyeQ"},
	{"Kafka group", "gruppe-zauberlehrling-privat"},
	{"Kafka transaction", "tx-of-wolkenbruch"},
	{"certificate's subject", "CN=Ottilie Federkiel,O=Privat"},
	{"host with a name", "ottilies-macbook.fritz.box"},
	{"site in a referer", "federkiel-tagebuch.example"},
	{"key of a query", "wolkenbruch_henriette"},
	{"method", "OTTILIEFEDERKIEL"},
	{"cipher", "TLS_OTTILIE_FEDERKIEL"},
	{"unknown field", "federkiels-diary-page"},
	{"phone", "+49 30 90182 7731"},
	{"letters of other alphabets", "Närrin-Жанна-麗子"},
	{"bytes that are no text", "n\xe4rrin\xff\xfe-ottilie"},
}

// value of a canary by label.
func value(label string) string {
	for _, c := range canaries {
		if c.label == label {
			return c.value
		}
	}
	panic("no such canary: " + label)
}

// form is one way in which a canary may hide. A folded one is searched without
// regard to the case of ASCII letters.
type form struct {
	name   string
	bytes  []byte
	folded bool
}

// forms are all ways in which a value is looked for.
func forms(v string) []form {
	out := []form{{"clear", []byte(v), true}}
	add := func(name, s string, folded bool) {
		if s != v && !slices.ContainsFunc(out, func(f form) bool { return f.folded == folded && string(f.bytes) == s }) {
			out = append(out, form{name, []byte(s), folded})
		}
	}
	query, path, all := url.QueryEscape(v), url.PathEscape(v), percentAll(v)
	for _, f := range []struct{ name, s string }{
		{"URL-encoded as query", query}, {"URL-encoded as path", path}, {"URL-encoded byte by byte", all},
		{"URL-encoded twice", url.QueryEscape(query)}, {"URL-encoded twice byte by byte", url.QueryEscape(all)},
		{"hex", hex.EncodeToString([]byte(v))}, {"HTML", html.EscapeString(v)},
		{"quoted", strings.Trim(fmt.Sprintf("%q", v), `"`)}, {"quoted as ASCII", strings.Trim(fmt.Sprintf("%+q", v), `"`)},
		{"escaped as nginx does", nginxEscape(v)},
	} {
		add(f.name, f.s, true)
	}
	for shift := range 3 {
		name := fmt.Sprintf("base64 at %d", shift)
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			add(name, base64Inner(enc, v, shift), false)
		}
	}
	add("UTF-16, high byte first", utf16Bytes(v, binary.BigEndian), false)
	add("UTF-16, low byte first", utf16Bytes(v, binary.LittleEndian), false)
	return append(out, digests(v)...)
}

// digests are the unkeyed hashes of a value, as written and with folded case.
func digests(v string) []form {
	var out []form
	for _, s := range []string{v, strings.ToLower(v), strings.ToUpper(v), strings.TrimSpace(v) + "\n"} {
		m, s1, s2 := md5.Sum([]byte(s)), sha1.Sum([]byte(s)), sha256.Sum256([]byte(s))
		for _, d := range []struct {
			name string
			sum  []byte
		}{{"MD5", m[:]}, {"SHA-1", s1[:]}, {"SHA-256", s2[:]}} {
			out = append(out,
				form{d.name + " in hex", []byte(hex.EncodeToString(d.sum)), true},
				form{d.name, d.sum, false},
				form{d.name + " in base64", []byte(base64.RawStdEncoding.EncodeToString(d.sum)), false},
				form{d.name + " in base64 for URLs", []byte(base64.RawURLEncoding.EncodeToString(d.sum)), false})
		}
	}
	return out
}

func percentAll(v string) string {
	var b strings.Builder
	for i := range len(v) {
		fmt.Fprintf(&b, "%%%02X", v[i])
	}
	return b.String()
}

// base64Inner is what of v's encoding does not depend on its neighbours when
// shift bytes stand before it in its group of three.
func base64Inner(enc *base64.Encoding, v string, shift int) string {
	s := enc.EncodeToString([]byte(strings.Repeat("\x00", shift) + v))
	from, until := 0, len(s)
	if shift > 0 {
		from = shift + 1
	}
	if (len(v)+shift)%3 != 0 {
		until--
	}
	return s[from:until]
}

func utf16Bytes(v string, order binary.AppendByteOrder) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(v)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

// nginxEscape is escape=default of log_format.
func nginxEscape(v string) string {
	var b strings.Builder
	for i := range len(v) {
		if c := v[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\x%02X`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// hit is a canary that was found. It does not hold the value.
type hit struct{ label, form, place string }

func (h hit) String() string { return h.label + " (" + h.form + ") in " + h.place }

// searcher looks for all forms of all canaries at once: by the first four
// bytes, behind a filter.
type searcher struct{ exact, folded finder }

const filterBits = 24

type finder struct {
	filter [1 << (filterBits - 6)]uint64
	by     map[uint32][]needle
}

type needle struct {
	bytes       []byte
	label, form string
}

// newSearcher also looks for the digests of whole lines.
func newSearcher(lines []string) *searcher {
	s := &searcher{exact: finder{by: map[uint32][]needle{}}, folded: finder{by: map[uint32][]needle{}}}
	add := func(label string, f form) {
		if len(f.bytes) < 8 {
			panic("a form of " + label + " is too short to be told from chance")
		}
		if f.folded {
			s.folded.add(needle{fold(f.bytes), label, f.name})
		} else {
			s.exact.add(needle{f.bytes, label, f.name})
		}
	}
	for _, c := range canaries {
		for _, f := range forms(c.value) {
			add(c.label, f)
		}
	}
	for i, l := range lines {
		if l == "" {
			continue // its digest is the root of an empty tree
		}
		for _, f := range digests(l) {
			add(fmt.Sprintf("line %d", i+1), f)
		}
	}
	return s
}

func slot(key uint32) uint32 { return key * 2654435761 >> (32 - filterBits) }

func (f *finder) add(n needle) {
	k := binary.LittleEndian.Uint32(n.bytes)
	f.filter[slot(k)>>6] |= 1 << (slot(k) & 63)
	f.by[k] = append(f.by[k], n)
}

// find reports each needle once.
func (f *finder) find(data []byte, report func(needle)) {
	var seen map[string]bool
	for i := 0; i+8 <= len(data); i++ {
		k := binary.LittleEndian.Uint32(data[i:])
		if at := slot(k); f.filter[at>>6]>>(at&63)&1 == 0 {
			continue
		}
		for _, n := range f.by[k] {
			if bytes.HasPrefix(data[i:], n.bytes) && !seen[n.label+n.form] {
				if seen == nil {
					seen = map[string]bool{}
				}
				seen[n.label+n.form] = true
				report(n)
			}
		}
	}
}

func (s *searcher) search(place string, data []byte) (hits []hit) {
	report := func(n needle) { hits = append(hits, hit{n.label, n.form, place}) }
	s.exact.find(data, report)
	s.folded.find(fold(data), report)
	return hits
}

// fold is data with ASCII letters in lower case.
func fold(data []byte) []byte {
	out := make([]byte, len(data))
	for i, c := range data {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		out[i] = c
	}
	return out
}

// upper is data with ASCII letters in upper case.
func upper(data []byte) []byte {
	out := fold(data)
	for i, c := range out {
		if 'a' <= c && c <= 'z' {
			out[i] = c &^ 0x20
		}
	}
	return out
}
