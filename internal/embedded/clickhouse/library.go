package clickhouse

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/tallystick/tallystick/internal/text"
)

// Release is the release of libchdb that scripts/fetch.sh fetches.
const Release = "26.7.3-stable.1"

// versions is the beginning of the versions that this package was tested with.
const versions = "26.7."

// LibraryPath is where libchdb is expected: $TALLYSTICK_LIBCHDB if it is set,
// else the user's cache folder as scripts/fetch.sh fills it. The file may be
// missing.
func LibraryPath() string {
	if p := os.Getenv("TALLYSTICK_LIBCHDB"); p != "" {
		return p
	}
	name := "libchdb.so"
	if runtime.GOOS == "darwin" {
		name = "libchdb.dylib"
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	return filepath.Join(cache, "tallystick", "libchdb-"+Release, name)
}

// library is libchdb's C interface (programs/local/chdb.h of chdb-core).
// Handles are opaque addresses that stay in C.
type library struct {
	path string

	version       func() string
	signals       func(enabled int32)
	connect       func(argc int32, argv **byte) uintptr // *chdb_connection, 0 on failure
	closeConn     func(conn uintptr)
	query         func(conn uintptr, sql string, n uintptr, format string, fn uintptr) uintptr
	streamQuery   func(conn uintptr, sql string, n uintptr, format string, fn uintptr) uintptr
	fetch         func(conn, result uintptr) uintptr
	cancelQuery   func(conn, result uintptr)
	destroy       func(result uintptr)
	buffer        func(result uintptr) unsafe.Pointer
	length        func(result uintptr) uintptr
	errorOf       func(result uintptr) string
	rowsWritten   func(result uintptr) uint64
	insert        func(conn uintptr, sql string, n uintptr, format string, fn uintptr) uintptr
	appendChunk   func(stream uintptr, data unsafe.Pointer, n uintptr) int32
	done          func(stream uintptr) uintptr
	cancelInsert  func(stream uintptr)
	insertError   func(stream uintptr) string
	destroyInsert func(stream uintptr)
}

// loaded is the library of this process: it cannot be unloaded, and its engine
// is one per process.
var loaded struct {
	sync.Mutex
	*library
}

// load loads libchdb once.
func load(path string) (*library, error) {
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.library != nil {
		return loaded.library, nil
	}
	if _, err := os.Stat(path); err != nil {
		return nil, &text.Hint{Err: fmt.Errorf("libchdb, the embedded ClickHouse, is missing: %w", err), Hint: "make fetch"}
	}
	h, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, &text.Hint{
			Err:  fmt.Errorf("failed to load libchdb: %w", err),
			Hint: "remove " + filepath.Dir(path) + " and run make fetch",
		}
	}
	l := &library{path: path}
	if err := l.bind(h); err != nil {
		return nil, err
	}
	if v := l.version(); !strings.HasPrefix(v, versions) {
		return nil, wrongVersion(path, v)
	}
	l.signals(0) // Go owns the signals
	loaded.library = l
	return l, nil
}

func wrongVersion(path, v string) error {
	return &text.Hint{
		Err:  fmt.Errorf("%s is libchdb %s, and %s* is needed", path, v, versions),
		Hint: "make fetch, and unset TALLYSTICK_LIBCHDB if it is set",
	}
}

func (l *library) bind(h uintptr) error {
	for name, f := range map[string]any{
		"chdb_version":                     &l.version,
		"chdb_set_signal_handlers_enabled": &l.signals,
		"chdb_connect":                     &l.connect,
		"chdb_close_conn":                  &l.closeConn,
		"chdb_query_n":                     &l.query,
		"chdb_stream_query_n":              &l.streamQuery,
		"chdb_stream_fetch_result":         &l.fetch,
		"chdb_stream_cancel_query":         &l.cancelQuery,
		"chdb_destroy_query_result":        &l.destroy,
		"chdb_result_buffer":               &l.buffer,
		"chdb_result_length":               &l.length,
		"chdb_result_error":                &l.errorOf,
		"chdb_result_rows_written":         &l.rowsWritten,
		"chdb_stream_insert_n":             &l.insert,
		"chdb_stream_append":               &l.appendChunk,
		"chdb_stream_done":                 &l.done,
		"chdb_stream_cancel_insert":        &l.cancelInsert,
		"chdb_stream_insert_error":         &l.insertError,
		"chdb_destroy_insert_stream":       &l.destroyInsert,
	} {
		p, err := purego.Dlsym(h, name)
		if err != nil {
			return wrongVersion(l.path, "without "+name)
		}
		purego.RegisterFunc(f, p)
	}
	return nil
}

// open opens a connection; args[0] is a program name.
func (l *library) open(args []string) (uintptr, error) {
	argv := make([]*byte, len(args)+1)
	var pin runtime.Pinner
	defer pin.Unpin()
	for i, a := range args {
		argv[i] = &append([]byte(a), 0)[0]
		pin.Pin(argv[i])
	}
	c := l.connect(int32(len(args)), &argv[0])
	if c == 0 {
		return 0, errors.New("the engine did not start")
	}
	return c, nil
}

func (l *library) close(conn uintptr) { l.closeConn(conn) }

// handle is the chdb_connection behind what connect returned.
func handle(conn uintptr) uintptr { return *(*uintptr)(*(*unsafe.Pointer)(unsafe.Pointer(&conn))) }

// bytes copies a result out of C.
func (l *library) bytes(result uintptr) []byte {
	n := l.length(result)
	if n == 0 {
		return nil
	}
	return append([]byte(nil), unsafe.Slice((*byte)(l.buffer(result)), n)...)
}

// failure is the error of a result, nil if there is none.
func (l *library) failure(result uintptr) error {
	if result == 0 {
		return errors.New("the engine gave no result")
	}
	if s := l.errorOf(result); s != "" {
		return exception(s)
	}
	return nil
}

// exception is an error of ClickHouse: its text begins with "Code: N.".
type exception string

func (e exception) Error() string { return string(e) }
