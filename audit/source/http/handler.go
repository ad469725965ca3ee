package http

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/push"
)

// answer is a refusal, or 200. The outcome is its word in the metrics.
type answer struct {
	status  int
	outcome string
	message string
}

// The answers. Their texts are fixed: nothing of a request comes back.
var (
	accepted     = answer{http.StatusOK, "accepted", ""}
	onlyPost     = answer{http.StatusMethodNotAllowed, "bad_method", "use POST"}
	unauthorised = answer{http.StatusUnauthorized, "unauthorised", "send the header Authorization: Bearer TOKEN, with the token of token_file"}
	badType      = answer{http.StatusUnsupportedMediaType, "bad_type", "send Content-Type: text/plain or application/x-ndjson, one line of the log each"}
	badEncoding  = answer{http.StatusUnsupportedMediaType, "bad_encoding", "send Content-Encoding: gzip or zstd, or none"}
	badBody      = answer{http.StatusBadRequest, "bad_body", "the body ends early, or is not compressed as it says"}
	badKey       = answer{http.StatusBadRequest, "bad_key", "an Idempotency-Key has 1 to 255 characters"}
	otherLines   = answer{http.StatusUnprocessableEntity, "key_reused", "the Idempotency-Key was used with other lines"}
	tooLarge     = answer{http.StatusRequestEntityTooLarge, "too_large", "the body is larger than max_body; send fewer lines at once"}
	tooUnpacked  = answer{http.StatusRequestEntityTooLarge, "too_large_unpacked", "the body is larger than max_unpacked when it is decompressed; send fewer lines at once"}
	full         = answer{http.StatusServiceUnavailable, "full", "there is no room at present; send the same lines again, with the same Idempotency-Key"}
)

// lines is POST /v1/lines.
func (r *Reader) lines(w http.ResponseWriter, req *http.Request) {
	a, n := r.take(w, req)
	r.deps.Count(a.outcome, 1)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	body := struct {
		Lines uint64 `json:"lines"`
		Error string `json:"error,omitempty"`
	}{n, a.message}
	switch a.status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	}
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(body)
}

// take takes the lines of a request and waits until they are durable. It
// returns how many are: also of a request that is refused in its middle.
func (r *Reader) take(w http.ResponseWriter, req *http.Request) (answer, uint64) {
	switch {
	case !r.authorised(req):
		return unauthorised, 0
	case req.Method != http.MethodPost:
		return onlyPost, 0
	case !lineType(req.Header.Get("Content-Type")):
		return badType, 0
	case req.ContentLength > int64(r.cfg.MaxBody):
		return tooLarge, 0
	case r.inlet.Full():
		return full, 0
	}
	ctx, cancel := context.WithTimeout(req.Context(), answerWithin)
	defer cancel()
	key, given := req.Header["Idempotency-Key"]
	if !given {
		key = []string{""}
	} else if n := len(key[0]); len(key) != 1 || n == 0 || n > 255 {
		return badKey, 0
	}
	e, release, err := r.keys.lock(ctx, key[0])
	if err != nil {
		return full, 0
	}
	defer release()
	a := r.read(ctx, w, req, e)
	if a.status == full.status || e.taken == 0 {
		return a, 0
	}
	if r.inlet.Durable(ctx, e.last) != nil {
		return full, 0
	}
	return a, e.taken
}

// read takes the body. Few are read at once: each may need memory to decompress.
func (r *Reader) read(ctx context.Context, w http.ResponseWriter, req *http.Request, e *attempt) answer {
	select {
	case r.reading <- struct{}{}:
		defer func() { <-r.reading }()
	case <-ctx.Done():
		return full
	}
	in, err := r.unpack(w, req)
	if err != nil {
		return refusal(err)
	}
	defer in.close()
	return r.put(ctx, push.NewLines(in), e)
}

// put puts the lines in that the same request, when it was tried before, did
// not.
func (r *Reader) put(ctx context.Context, in *push.Lines, e *attempt) answer {
	var h maphash.Hash
	h.SetSeed(r.keys.seed)
	for i := uint64(0); ; {
		line, length, err := in.Next()
		switch {
		case errors.Is(err, io.EOF) && i < e.taken:
			return otherLines
		case errors.Is(err, io.EOF):
			e.done = true
			return accepted
		case err != nil:
			return refusal(err)
		case length == 0:
			continue
		case length > len(line) && len(line) < source.MaxLine: // the body broke off
			continue
		}
		_, _ = h.Write(line)
		_ = h.WriteByte('\n')
		i++
		if i <= e.taken {
			if i == e.taken && h.Sum64() != e.sum {
				return otherLines
			}
			continue
		}
		if e.done {
			return otherLines
		}
		n, err := r.inlet.Put(ctx, line, length)
		if err != nil {
			return full
		}
		e.taken, e.last, e.sum = i, n, h.Sum64()
		r.deps.Count("lines", 1)
	}
}

func (r *Reader) authorised(req *http.Request) bool {
	if r.token == nil {
		return true // the handshake has seen a certificate
	}
	scheme, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(token))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(sum[:], r.token[:]) == 1
}

func lineType(s string) bool {
	if s == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(s)
	switch t {
	case "text/plain", "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines":
		return err == nil
	}
	return false
}

var (
	errEncoding = errors.New("unknown encoding")
	errUnpacked = errors.New("too many bytes when decompressed")
)

// refusal is the answer to a body that can't be read on.
func refusal(err error) answer {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge
	case errors.Is(err, errUnpacked), errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return tooUnpacked
	case errors.Is(err, errEncoding):
		return badEncoding
	}
	return badBody
}

// body is a decompressed body within its limit.
type body struct {
	io.Reader
	left  int64
	close func()
}

// unpack opens the body within both limits.
func (r *Reader) unpack(w http.ResponseWriter, req *http.Request) (*body, error) {
	packed := http.MaxBytesReader(w, req.Body, int64(r.cfg.MaxBody))
	b := &body{Reader: packed, left: int64(r.cfg.MaxUnpacked), close: func() {}}
	switch strings.ToLower(strings.TrimSpace(req.Header.Get("Content-Encoding"))) {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(packed)
		if err != nil {
			return nil, fmt.Errorf("failed to decompress: %w", err)
		}
		b.Reader = z
	case "zstd":
		z, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, fmt.Errorf("failed to decompress: %w", err)
		}
		b.Reader, b.close = z, z.Close
	default:
		return nil, errEncoding
	}
	return b, nil
}

// Read reads on, or fails behind the limit.
func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 { // is there more?
		var one [1]byte
		n, err := b.Reader.Read(one[:])
		if n > 0 {
			return 0, errUnpacked
		}
		return 0, err
	}
	n, err := b.Reader.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
