package otlp

import (
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const (
	typeProto = "application/x-protobuf"
	typeJSON  = "application/json"
)

// answer is a refusal. The outcome is its word in the metrics; the text is
// fixed: nothing of a request comes back.
type answer struct {
	status  int
	code    codes.Code
	outcome string
	message string
}

// The answers.
var (
	onlyPost    = &answer{http.StatusMethodNotAllowed, codes.Unimplemented, "bad_method", "use POST"}
	badType     = &answer{http.StatusUnsupportedMediaType, codes.InvalidArgument, "bad_type", "send Content-Type: application/x-protobuf or application/json"}
	badEncoding = &answer{http.StatusUnsupportedMediaType, codes.InvalidArgument, "bad_encoding", "send Content-Encoding: gzip, or none"}
	badBody     = &answer{http.StatusBadRequest, codes.InvalidArgument, "bad_body", "the body is no ExportLogsServiceRequest, or not compressed as it says"}
	tooLarge    = &answer{http.StatusRequestEntityTooLarge, codes.ResourceExhausted, "too_large", "the body is larger than max_body; send fewer records at once"}
	tooUnpacked = &answer{http.StatusRequestEntityTooLarge, codes.ResourceExhausted, "too_large_unpacked", "the body is larger than max_unpacked when it is decompressed; send fewer records at once"}
	full        = &answer{http.StatusServiceUnavailable, codes.Unavailable, "full", errFull.Error()}
)

// logs is POST /v1/logs.
func (r *Reader) logs(w http.ResponseWriter, req *http.Request) {
	kind, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	resp, refused := r.export(w, req, kind)
	if kind != typeJSON {
		kind = typeProto
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	var body []byte
	code := http.StatusOK
	switch {
	case refused != nil:
		code = refused.status
		body = refused.body(kind)
		r.deps.Count(refused.outcome, 1)
	case kind == typeJSON:
		body, _ = resp.MarshalJSON() // our own message: it does not fail
	default:
		body, _ = resp.MarshalProto()
	}
	switch code {
	case http.StatusOK:
		r.deps.Count("accepted", 1)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	}
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

// body is a refusal as the protocol wants it: a google.rpc.Status.
func (a *answer) body(kind string) []byte {
	s := &rpcstatus.Status{Code: int32(a.code), Message: a.message}
	var b []byte
	if kind == typeJSON {
		b, _ = protojson.Marshal(s) // our own message: it does not fail
	} else {
		b, _ = proto.Marshal(s)
	}
	return b
}

func (r *Reader) export(w http.ResponseWriter, req *http.Request, kind string) (resp plogotlp.ExportResponse, refused *answer) {
	switch {
	case req.Method != http.MethodPost:
		return resp, onlyPost
	case kind != typeProto && kind != typeJSON:
		return resp, badType
	case req.ContentLength > int64(r.cfg.MaxBody):
		return resp, tooLarge
	case r.inlet.Full():
		return resp, full
	}
	export := plogotlp.NewExportRequest()
	if refused := r.read(w, req, kind, export); refused != nil {
		return resp, refused
	}
	resp, err := r.take(req.Context(), export)
	if err != nil {
		return resp, full
	}
	return resp, nil
}

// read reads the body. Few are read at once: each is in memory as a whole.
func (r *Reader) read(w http.ResponseWriter, req *http.Request, kind string, into plogotlp.ExportRequest) *answer {
	select {
	case r.reading <- struct{}{}:
		defer func() { <-r.reading }()
	case <-req.Context().Done():
		return full
	}
	b, refused := r.unpack(w, req)
	if refused != nil {
		return refused
	}
	var err error
	switch {
	case kind == typeJSON && jsonWithin(b, maxJSON):
		err = into.UnmarshalJSON(b)
	case kind == typeProto && r.shape.within(b, maxWire):
		err = into.UnmarshalProto(b)
	default:
		err = errDeep
	}
	if err != nil {
		return badBody
	}
	return nil
}

// unpack reads the body within both limits.
func (r *Reader) unpack(w http.ResponseWriter, req *http.Request) ([]byte, *answer) {
	var in io.Reader = http.MaxBytesReader(w, req.Body, int64(r.cfg.MaxBody))
	limit := int64(r.cfg.MaxBody)
	switch strings.ToLower(strings.TrimSpace(req.Header.Get("Content-Encoding"))) {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, badBody
		}
		in, limit = z, int64(r.cfg.MaxUnpacked)
	default:
		return nil, badEncoding
	}
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, tooLarge
	case err != nil:
		return nil, badBody
	case int64(len(b)) > limit:
		return nil, tooUnpacked
	}
	return b, nil
}
