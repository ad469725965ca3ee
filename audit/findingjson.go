package audit

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// AppendJSON appends what json.Marshal makes of f, at a tenth of its price: a
// busy log raises some thousand findings a second.
func (f *Finding) AppendJSON(dst []byte) []byte {
	text := func(name, s string) {
		dst = append(append(append(dst, `,"`...), name...), `":`...)
		dst = appendJSONString(dst, s)
	}
	number := func(name string, n uint64) {
		dst = append(append(append(dst, `,"`...), name...), `":`...)
		dst = strconv.AppendUint(dst, n, 10)
	}
	at := func(name string, t time.Time) {
		dst = append(append(append(dst, `,"`...), name...), `":"`...)
		dst = append(t.AppendFormat(dst, time.RFC3339Nano), '"')
	}
	list := func(name string, l []string) {
		dst = append(append(append(dst, `,"`...), name...), `":`...)
		dst = appendJSONList(dst, l)
	}
	dst = appendJSONString(append(dst, `{"id":`...), f.ID)
	text("kind", string(f.Kind))
	text("control", f.Control)
	number("control_version", uint64(f.ControlVersion))
	text("severity", string(f.Severity))
	at("time", f.Time)
	at("until", f.Until)
	at("detected", f.Detected)
	text("source", f.Source)
	text("system", f.System)
	text("principal", f.Principal)
	text("principal_kind", string(f.PrincipalKind))
	text("principal_label", f.PrincipalLabel)
	text("resource", f.Resource)
	text("purpose", f.Purpose)
	list("categories", f.Categories)
	list("subjects", f.Subjects)
	text("entry_id", f.EntryID)
	number("count", f.Count)
	dst = appendJSONFacts(append(dst, `,"facts":`...), f.Facts)
	text("chunk", f.Chunk)
	return append(dst, '}')
}

func appendJSONFacts(dst []byte, facts map[string]string) []byte {
	if facts == nil {
		return append(dst, "null"...)
	}
	var space [16]string
	keys := space[:0]
	for k := range facts {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendJSONString(dst, k), ':')
		dst = appendJSONString(dst, facts[k])
	}
	return append(dst, '}')
}

func appendJSONList(dst []byte, list []string) []byte {
	if list == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONString(dst, s)
	}
	return append(dst, ']')
}

// appendJSONString leaves what needs an escape to encoding/json.
func appendJSONString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			b, _ := json.Marshal(s) // a string always encodes
			return append(dst, b...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
