package evidence

import (
	"bytes"
	"encoding/json"

	"github.com/tallystick/tallystick/audit"
)

// entryJSON writes an entry under the names of its fields, all of them, as
// people read it. The canonical row in its proof is what counts.
func entryJSON(e *audit.Entry) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i := range audit.EntryFields {
		f := &audit.EntryFields[i]
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(f.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(fieldOf(f, e))
		if err != nil {
			return nil, err
		}
		b.Write(append(append(name, ':'), value...))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// fieldOf points at a field of an entry.
func fieldOf(f *audit.EntryField, e *audit.Entry) any {
	switch f.Kind {
	case audit.Word, audit.Text:
		return f.Str(e)
	case audit.Words, audit.Texts:
		return f.Strs(e)
	case audit.Bool:
		return f.Bool(e)
	case audit.Uint16:
		return f.U16(e)
	case audit.Uint32:
		return f.U32(e)
	case audit.Uint64:
		return f.U64(e)
	case audit.Time:
		return f.Time(e)
	}
	return f.Map(e)
}
