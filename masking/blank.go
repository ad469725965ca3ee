package masking

import (
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// blank takes the value of one field away.
type blank func(*audit.Entry)

// blanks are the fields that a policy drops or redacts, in their order.
func blanks(p *Policy) []blank {
	var out []blank
	for _, f := range audit.EntryFields {
		switch p.fields[f.Name] {
		case drop:
			out = append(out, blankOf(f, ""))
		case redact:
			out = append(out, blankOf(f, plain.Redacted))
		}
	}
	return out
}

// blankOf empties a field; a text that was there becomes with. Numbers, times
// and truth values become zero.
func blankOf(f audit.EntryField, with string) blank {
	switch f.Kind {
	case audit.Word, audit.Text:
		return func(e *audit.Entry) {
			if s := f.Str(e); *s != "" {
				*s = with
			}
		}
	case audit.Words, audit.Texts:
		return func(e *audit.Entry) { blankList(f.Strs(e), with) }
	case audit.Bool:
		return func(e *audit.Entry) { *f.Bool(e) = false }
	case audit.Uint16:
		return func(e *audit.Entry) { *f.U16(e) = 0 }
	case audit.Uint32:
		return func(e *audit.Entry) { *f.U32(e) = 0 }
	case audit.Uint64:
		return func(e *audit.Entry) { *f.U64(e) = 0 }
	case audit.Time:
		return func(e *audit.Entry) { *f.Time(e) = time.Time{} }
	case audit.Map:
		return func(e *audit.Entry) { *f.Map(e) = nil }
	}
	panic("masking: a field of unknown kind")
}

// blankList replaces a list, which other entries may share, by a new one.
func blankList(list *[]string, with string) {
	if with == "" {
		*list = nil
		return
	}
	if len(*list) == 0 {
		return
	}
	l := make([]string, len(*list))
	for i := range l {
		l[i] = with
	}
	*list = l
}
