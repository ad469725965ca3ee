package workload

import (
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// Blocks are n accesses in a format, in blocks as the auditor makes them, and
// how many bytes they are. The lines of a block lie behind one another, as they
// do in a message that was opened.
func Blocks(f Format, n int) (blocks [][]audit.Line, size int) {
	const block = 1024 // lines, as in services/auditor
	var text strings.Builder
	var ends []int
	flush := func() {
		all, begin := text.String(), 0
		out := make([]audit.Line, len(ends))
		for i, end := range ends {
			out[i] = audit.Line{Origin: audit.Origin{Stream: "s", Offset: uint64(size + begin)}, Text: plain.New(all[begin:end]), Length: end - begin}
			begin = end + 1
		}
		size += len(all)
		blocks, ends = append(blocks, out), ends[:0]
		text.Reset()
	}
	for a := range Accesses(n, 1) {
		text.WriteString(f.Line(a))
		ends = append(ends, text.Len())
		text.WriteByte('\n')
		if len(ends) == block {
			flush()
		}
	}
	if len(ends) > 0 {
		flush()
	}
	return blocks, size
}
