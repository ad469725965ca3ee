package console

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/tallystick/tallystick/internal/registers"
)

// Masking finds and masks personal data in documents, of which nothing is kept.
type Masking interface {
	// Detect hands what it finds in each line of a text to found, until that
	// fails.
	Detect(text []byte, found func(DocumentFinding) error) error
	// Mask returns a document masked by the policy of a name: whole, or with a
	// *DocumentFault not at all. Without such a policy, or where it is not for
	// the API, the error is registers.ErrNotFound.
	Mask(policy string, form DocumentForm, doc []byte) ([]byte, error)
}

// DocumentForm is what a document is.
type DocumentForm string

// The forms, by their media types.
const (
	JSONDocument  DocumentForm = "application/json"     // one document
	JSONLines     DocumentForm = "application/x-ndjson" // one in each line
	TextLines     DocumentForm = "text/plain"
	documentBytes              = 4 << 20 // the largest, decompressed
)

// documentForms are the forms that a request may say, by the media type.
var documentForms = []DocumentForm{JSONDocument, JSONLines, TextLines}

// DocumentFinding is a place with personal data; it holds no value.
type DocumentFinding struct {
	Line       int    `json:"line"` // from 1
	Kind       string `json:"kind"`
	Category   string `json:"category"`
	Start      int    `json:"start"` // bytes in the line
	End        int    `json:"end"`
	Confidence uint8  `json:"confidence"` // in percent
	Validated  bool   `json:"validated"`
}

// DocumentFault says why a document can't be masked. It holds no value.
type DocumentFault struct {
	Line, Column int // from 1; bytes
	Reason       string
}

func (f *DocumentFault) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", f.Line, f.Column, f.Reason)
}

type apiDetected struct {
	Findings []DocumentFinding `json:"findings"`
	// Cut: there are more.
	Cut bool `json:"cut"`
}

// Bounds of the two routes, which bound what they take of memory together. Who
// sends slowly takes no room of the documents that are worked on.
const (
	documentsAtOnce   = 2
	documentsArriving = 32 // as they are sent, or waiting to be worked on
	documentTime      = 20 * time.Second
	documentFindings  = 10_000
)

var (
	errForm     = &problem{status: http.StatusUnsupportedMediaType, code: "bad-type", message: "console.error.form"}
	errPacking  = &problem{status: http.StatusUnsupportedMediaType, code: "bad-encoding", message: "console.error.packing"}
	errLarge    = &problem{status: http.StatusRequestEntityTooLarge, code: "too-large", message: "console.error.large"}
	errUnpacked = &problem{status: http.StatusBadRequest, code: "bad-body", message: "console.error.unpacked"}
	errSlow     = &problem{status: http.StatusRequestTimeout, code: "too-slow", message: "console.error.slow"}
	errUTF8     = &problem{status: http.StatusBadRequest, code: "not-utf-8", message: "console.error.utf8"}
	errNoPolicy = &problem{status: http.StatusNotFound, code: "no-such-policy", message: "console.error.policy"}
)

// apiDetect answers where personal data stands in a document, never what it is.
func (s *Console) apiDetect(r *request) error {
	_, doc, done, err := s.document(r)
	if err != nil {
		return err
	}
	defer done()
	answer := apiDetected{Findings: []DocumentFinding{}}
	errFull := errors.New("full")
	err = s.deps.Masking.Detect(doc, func(f DocumentFinding) error {
		if len(answer.Findings) == documentFindings {
			answer.Cut = true
			return errFull
		}
		answer.Findings = append(answer.Findings, f)
		return nil
	})
	if err != nil && !errors.Is(err, errFull) {
		return err
	}
	r.JSON(http.StatusOK, answer)
	return nil
}

// apiMask answers the document masked by a policy of the configuration. Who may
// do that can test a guess against a pseudonym, so each use is on the trail.
func (s *Console) apiMask(r *request) error {
	form, doc, done, err := s.document(r)
	if err != nil {
		return err
	}
	defer done()
	policy := r.Query("policy")
	if len(policy) > 64 {
		return errNoPolicy
	}
	if err := r.act("document.mask", policy, ""); err != nil {
		return err
	}
	out, err := s.deps.Masking.Mask(policy, form, doc)
	var fault *DocumentFault
	switch {
	case errors.Is(err, registers.ErrNotFound):
		return errNoPolicy
	case errors.As(err, &fault):
		return &problem{http.StatusUnprocessableEntity, "bad-document", "console.error.document", fault.Error()}
	case err != nil:
		return err
	}
	r.Data(http.StatusOK, string(form)+"; charset=utf-8", out)
	return nil
}

// document reads the document of a request. done gives its room back.
func (s *Console) document(r *request) (form DocumentForm, doc []byte, done func(), err error) {
	if s.deps.Masking == nil {
		return "", nil, nil, errNotHere
	}
	media, params, err := mime.ParseMediaType(r.GetHeader("Content-Type"))
	form = DocumentForm(media)
	if charset := params["charset"]; err != nil || !slices.Contains(documentForms, form) || charset != "" && charset != "utf-8" && charset != "UTF-8" {
		return "", nil, nil, errForm
	}
	if r.Request.ContentLength > documentBytes {
		return "", nil, nil, errLarge
	}
	body, err := s.arrived(r)
	if err != nil {
		return "", nil, nil, err
	}
	done = func() { <-s.documents }
	if doc, err = unpacked(r.GetHeader("Content-Encoding"), body); err == nil && !utf8.Valid(doc) {
		err = errUTF8
	}
	if err != nil {
		done()
		return "", nil, nil, err
	}
	return form, doc, done, nil
}

// arrived reads the body of a request as it was sent, up to documentBytes and for
// as long as documentTime, and then takes room in s.documents.
func (s *Console) arrived(r *request) ([]byte, error) {
	if err := take(r.Request.Context(), s.arriving); err != nil {
		return nil, err
	}
	defer func() { <-s.arriving }()
	conn := http.NewResponseController(r.Writer)
	if err := conn.SetReadDeadline(time.Now().Add(documentTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	body, err := upTo(r.Request.Body)
	if err != nil {
		return nil, err // the deadline stays: there may be more of the body
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	return body, take(r.Request.Context(), s.documents)
}

// take waits for room.
func take(ctx context.Context, room chan<- struct{}) error {
	select {
	case room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// upTo reads all, if that is not more than documentBytes.
func upTo(in io.Reader) ([]byte, error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(in, documentBytes+1))
	switch {
	case err != nil:
		return nil, badBody(err)
	case n > documentBytes:
		return nil, errLarge
	}
	return b.Bytes(), nil
}

// unpacked decompresses a body up to documentBytes.
func unpacked(encoding string, body []byte) ([]byte, error) {
	switch encoding {
	case "", "identity":
		return body, nil
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, badBody(err)
		}
		return upTo(z)
	case "zstd":
		z, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(documentBytes), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, badBody(err)
		}
		defer z.Close()
		return upTo(z)
	}
	return nil, errPacking
}

// badBody tells a body that is too large or too slow from one that can't be read.
func badBody(err error) error {
	var large *http.MaxBytesError
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errSlow
	}
	if errors.As(err, &large) || errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return errLarge
	}
	return errUnpacked
}
