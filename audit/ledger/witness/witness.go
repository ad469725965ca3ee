// Package witness keeps a ledger honest from another machine: it remembers the
// newest checkpoint that it saw of a log and cosigns only one that continues it
// (c2sp.org/tlog-witness). A log that was rolled back or forked gets no further
// signature, and its operator is told.
//
// Witness is the server's side, a http.Handler that any process can mount:
// tallystick ledger witness, and later a custodian. Client is the side of
// services/ledger. Neither sees a row of the record.
package witness

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/transparency-dev/formats/log"
	cosig "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/private"
)

// maxBody bounds a request: 63 hashes and a checkpoint.
const maxBody = 64 << 10

const (
	keyFile    = "witness.key" // mode 0600
	PublicFile = "witness.pub" // the key in the folder, as logs take it
)

// Config configures a Witness.
type Config struct {
	// Dir keeps the witness's key and the newest checkpoint of each log. Lost
	// with it is the memory that makes a witness.
	Dir string
	// Name is the witness's name in its signatures, without spaces and plus
	// signs: its address without scheme, as a rule. It is fixed with the key.
	Name string
	// Logs are the verifier keys of the logs that it cosigns (ledger.pub).
	Logs []string
}

// Witness cosigns checkpoints. It is safe for concurrent use.
type Witness struct {
	dir    string
	signer *cosig.Signer
	public string
	logs   map[string]note.Verifier // by origin

	mu sync.Mutex // held from reading a log's state until the new one is durable
}

// New opens the folder, with a new key if it has none.
func New(cfg Config) (*Witness, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("failed to make the witness's folder: %w", err)
	}
	w := &Witness{dir: cfg.Dir, logs: map[string]note.Verifier{}}
	for _, k := range cfg.Logs {
		v, err := note.NewVerifier(k)
		if err != nil {
			return nil, fmt.Errorf("failed to use the key of a log: %w", err)
		}
		w.logs[v.Name()] = v
	}
	if err := w.openKey(cfg.Name); err != nil {
		return nil, err
	}
	return w, nil
}

// openKey reads the key or makes it, with its public half beside it.
func (w *Witness) openKey(name string) error {
	path := filepath.Join(w.dir, keyFile)
	b, err := private.Read("the witness's key", path)
	if errors.Is(err, fs.ErrNotExist) {
		var secret, public string
		if secret, public, err = note.GenerateKey(rand.Reader, name); err != nil {
			return fmt.Errorf("failed to make the witness's key: %w", err)
		}
		if public, err = cosig.VKeyToCosignatureV1(public); err != nil {
			return fmt.Errorf("failed to make the witness's key: it needs a name without spaces and plus signs: %w", err)
		}
		b = []byte(secret + "\n")
		if err = durable.Replace(filepath.Join(w.dir, PublicFile), []byte(public+"\n"), 0o600); err == nil {
			err = durable.Replace(filepath.Join(w.dir, keyFile), b, 0o600)
		}
	}
	if err != nil {
		return fmt.Errorf("failed to open the witness's key: %w", err)
	}
	if w.signer, err = cosig.NewSignerForCosignatureV1(strings.TrimSpace(string(b))); err != nil {
		return fmt.Errorf("failed to use the witness's key %s: %w", path, err)
	}
	if name != "" && w.signer.Name() != name {
		return fmt.Errorf("the key in %s is that of the witness %s, not %s", w.dir, w.signer.Name(), name)
	}
	public, err := os.ReadFile(filepath.Join(w.dir, PublicFile))
	w.public = strings.TrimSpace(string(public))
	return err
}

// Public is the witness's key as logs take it.
func (w *Witness) Public() string { return w.public }

// ServeHTTP answers POST /add-checkpoint.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/add-checkpoint") {
		http.NotFound(rw, r)
		return
	}
	if r.Method != http.MethodPost {
		http.Error(rw, "only POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	if err != nil {
		http.Error(rw, "the request could not be read", http.StatusBadRequest)
		return
	}
	lines, err := w.Add(body)
	var no *Refusal
	switch {
	case errors.As(err, &no) && no.Status == http.StatusConflict:
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(no.Status)
		fmt.Fprintf(rw, "%d\n", no.Size)
	case errors.As(err, &no):
		http.Error(rw, no.Why, no.Status)
	case err != nil:
		http.Error(rw, "the checkpoint could not be kept", http.StatusInternalServerError)
	default:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = rw.Write(lines)
	}
}

// Refusal is why a checkpoint is not cosigned.
type Refusal struct {
	Status int    // of HTTP
	Why    string // without values of the request
	Size   uint64 // of the newest checkpoint, with status 409
}

func (r *Refusal) Error() string { return r.Why }

// Add checks a request body and returns the signature lines. What it cosigned is
// durable before it returns.
func (w *Witness) Add(body []byte) ([]byte, error) {
	req, err := ParseRequest(body)
	if err != nil {
		return nil, &Refusal{Status: http.StatusBadRequest, Why: err.Error()}
	}
	origin, _, _ := strings.Cut(string(req.Checkpoint), "\n")
	v := w.logs[origin]
	if v == nil {
		return nil, &Refusal{Status: http.StatusNotFound, Why: "the log is not known here"}
	}
	cp, _, n, err := log.ParseCheckpoint(req.Checkpoint, origin, v)
	if err != nil {
		return nil, &Refusal{Status: http.StatusForbidden, Why: "the checkpoint is not signed by the log's key"}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	last, err := w.newest(origin, v)
	if err != nil {
		return nil, err
	}
	if err := check(req, last, cp); err != nil {
		return nil, err
	}
	signed, err := note.Sign(&note.Note{Text: n.Text}, w.signer)
	if err != nil {
		return nil, err
	}
	if cp.Size > last.Size { // else the same is there
		if err := durable.Replace(filepath.Join(w.dir, stateFile(origin)), req.Checkpoint, 0o600); err != nil {
			return nil, err
		}
	}
	return bytes.TrimPrefix(signed, []byte(n.Text+"\n")), nil
}

// check refuses what does not continue the newest checkpoint, last.
func check(req *Request, last, cp *log.Checkpoint) error {
	conflict := &Refusal{Status: http.StatusConflict, Why: "the old size is not that of the newest checkpoint here", Size: last.Size}
	switch {
	case req.Old > cp.Size || cp.Size > 1<<62 || len(cp.Hash) != tlog.HashSize:
		return &Refusal{Status: http.StatusBadRequest, Why: "the old size is larger than the checkpoint's"}
	case req.Old != last.Size:
		return conflict
	case req.Old == cp.Size && last.Size > 0 && !bytes.Equal(last.Hash, cp.Hash):
		return conflict
	case req.Old == 0 || req.Old == cp.Size:
		if len(req.Proof) > 0 {
			return &Refusal{Status: http.StatusUnprocessableEntity, Why: "the proof should be empty"}
		}
		return nil
	}
	if tlog.CheckTree(req.Proof, int64(cp.Size), tlog.Hash(cp.Hash), int64(last.Size), tlog.Hash(last.Hash)) != nil {
		return &Refusal{Status: http.StatusUnprocessableEntity, Why: "the proof does not show that the log continues"}
	}
	return nil
}

// newest is the newest checkpoint cosigned of a log, of size 0 if there is none.
func (w *Witness) newest(origin string, v note.Verifier) (*log.Checkpoint, error) {
	raw, err := os.ReadFile(filepath.Join(w.dir, stateFile(origin)))
	if errors.Is(err, fs.ErrNotExist) {
		return &log.Checkpoint{}, nil
	}
	if err != nil {
		return nil, err
	}
	cp, _, _, err := log.ParseCheckpoint(raw, origin, v)
	if err != nil {
		return nil, fmt.Errorf("failed to read the newest checkpoint of a log: %w", err)
	}
	return cp, nil
}

func stateFile(origin string) string {
	h := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(h[:]) + ".checkpoint"
}
