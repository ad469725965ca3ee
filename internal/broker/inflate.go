package broker

import (
	"errors"
	"io"
	"sync"

	"github.com/segmentio/kafka-go/compress"
)

// maxInflated is the most that one compressed batch may become, in bytes.
// kafka-go decompresses a whole batch into memory, and the broker bounds only
// its compressed size.
const maxInflated = 64 << 20

var errInflated = errors.New("a compressed batch is larger than 64 MiB when decompressed")

// boundedCodec is a codec whose reader ends with an error after maxInflated bytes.
type boundedCodec struct{ compress.Codec }

// NewReader bounds the codec's own reader.
func (c boundedCodec) NewReader(r io.Reader) io.ReadCloser {
	return &boundedReader{ReadCloser: c.Codec.NewReader(r), left: maxInflated}
}

type boundedReader struct {
	io.ReadCloser
	left int64
}

// Read fails once more than is left came.
func (r *boundedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if r.left -= int64(n); r.left < 0 {
		return n, errInflated
	}
	return n, err
}

// boundCodecs replaces the codecs in kafka-go's table, which is the process's:
// once, before the first connection.
var boundCodecs = sync.OnceFunc(func() {
	for i, c := range compress.Codecs {
		if c != nil {
			compress.Codecs[i] = boundedCodec{c}
		}
	}
})
