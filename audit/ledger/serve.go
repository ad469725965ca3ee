package ledger

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
)

// tileURL is what c2sp.org/tlog-tiles lets clients ask for: hash tiles and
// bundles of leaves, whole or partial.
var tileURL = regexp.MustCompile(`^/tile/(?:[0-9]|[1-5][0-9]|6[0-3]|entries)/(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/(?:[1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?$`)

// Handler answers tile clients over HTTP, as c2sp.org/tlog-tiles says: the
// checkpoint, with its witnesses' signatures once there are some, the tiles and
// the leaves. It changes nothing and shows no row of the record.
func (r *Reader) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /checkpoint", func(w http.ResponseWriter, req *http.Request) {
		raw, err := r.ReadCheckpoint(req.Context())
		if err != nil {
			refuse(w, err)
			return
		}
		raw = r.WithCosignatures(raw)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(raw)
	})
	mux.HandleFunc("GET /tile/", func(w http.ResponseWriter, req *http.Request) {
		if !tileURL.MatchString(req.URL.Path) {
			http.NotFound(w, req)
			return
		}
		b, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(req.URL.Path)))
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		_, _ = w.Write(b)
	})
	return mux
}

func refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	http.Error(w, "the ledger's files cannot be read", http.StatusInternalServerError)
}
