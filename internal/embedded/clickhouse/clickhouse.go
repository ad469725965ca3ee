// Package clickhouse runs ClickHouse inside the process, as the library
// libchdb, and answers to ClickHouse's HTTP protocol: Transport is a
// http.RoundTripper for clickhouse-go, Handler serves other processes on the
// same machine.
//
// It knows no table and no query of the product; package store talks to it as
// it talks to a server. libchdb allows one data folder a process, so one
// Engine may be open at a time. Only services and the store's test kit call it.
package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/tallystick/tallystick/internal/text"
)

// ErrClosed is returned for statements that come after Close.
var ErrClosed = errors.New("the embedded ClickHouse is closed")

// Options tune an Engine. The zero value is fit for a process of 1 GiB.
type Options struct {
	// Library is the path of libchdb. Default: LibraryPath.
	Library string
	// Connections is how many statements may run at once; more wait. Default 4.
	Connections int
	// Threads is how many threads one statement may use. Default: as many as
	// there are cores.
	Threads int
	// Memory is the limit of the engine's own allocations in bytes. A statement
	// that would exceed it fails with code 241. Default 700 MB.
	Memory int64
	// MergeThreads is how many merges may run at once. Default 2.
	MergeThreads int
	// Config is the path of a configuration file in ClickHouse's own XML: for
	// clusters in tests. Optional.
	Config string
}

// Engine is an open data folder. It is safe for use by several goroutines.
type Engine struct {
	lib    *library
	anchor uintptr // keeps the engine up between statements
	args   []string
	unlock func()
	slots  chan struct{} // holds a token for each statement that runs
	kept   kept

	closing   chan struct{} // closed by Close
	closeOnce sync.Once
	marks     atomic.Uint64 // numbers the statements that can be killed
	killing   sync.RWMutex  // held for reading by kill, so that Close waits for it
	closed    bool          // guarded by killing: the engine has stopped
}

// open is the one data folder that libchdb can hold in this process.
var open sync.Mutex

// Open opens the data folder dir and creates it if it is missing. The caller
// closes the engine; while it is open no other process can open dir.
func Open(dir string, o Options) (*Engine, error) {
	o = o.withDefaults()
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("failed to open the embedded ClickHouse: %w", err)
	}
	if !open.TryLock() {
		return nil, &text.Hint{
			Err:  errors.New("the embedded ClickHouse is open already, and a process can hold one data folder only"),
			Hint: "close the other one first",
		}
	}
	e, err := start(dir, o)
	if err != nil {
		open.Unlock()
		return nil, err
	}
	return e, nil
}

func start(dir string, o Options) (*Engine, error) {
	lib, err := load(o.Library)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("failed to make the data folder of the embedded ClickHouse: %w", err)
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	e := &Engine{lib: lib, unlock: unlock, slots: make(chan struct{}, o.Connections), closing: make(chan struct{})}
	e.args = []string{"clickhouse"}
	if o.Config != "" {
		e.args = append(e.args, "--config-file="+o.Config)
	}
	e.args = append(e.args, "--path="+dir)
	if o.Threads > 0 {
		e.args = append(e.args, "--max_threads="+strconv.Itoa(o.Threads))
	}
	if e.anchor, err = lib.open(append(e.args[:len(e.args):len(e.args)], serverArgs(o)...)); err != nil {
		unlock()
		return nil, &text.Hint{
			Err:  fmt.Errorf("failed to open the data folder %s of the embedded ClickHouse: %w", dir, err),
			Hint: "check that the folder can be written and that the disk is not full",
		}
	}
	return e, nil
}

// serverArgs keep a small process small: ClickHouse's own defaults reserve
// caches of several GB. They count only for the connection that starts the
// engine.
func serverArgs(o Options) []string {
	const mib = 1 << 20
	size := func(name string, n int64) string { return "--" + name + "=" + strconv.FormatInt(n, 10) }
	return []string{
		size("max_server_memory_usage", o.Memory),
		size("mark_cache_size", 48*mib),
		size("primary_index_cache_size", 48*mib),
		size("index_mark_cache_size", 16*mib),
		size("uncompressed_cache_size", 0),
		size("index_uncompressed_cache_size", 0),
		size("query_condition_cache_size", 8*mib),
		size("compiled_expression_cache_size", 16*mib),
		size("background_pool_size", int64(o.MergeThreads)),
		size("background_common_pool_size", 2),
		size("background_schedule_pool_size", 4),
		size("memory_worker_period_ms", 1000), // 50 costs an idle process a quarter of a percent of a core
		// With the defaults each table looks for work in the background more than ten
		// times in the ten seconds after an insert; what the insert makes possible
		// begins at once all the same. Nothing here streams, or moves parts between disks.
		"--background_processing_pool_thread_sleep_seconds_if_nothing_to_do=0.3",
		size("background_processing_pool_task_sleep_seconds_when_no_work_multiplier", 2),
		size("background_streaming_processing_pool_thread_sleep_seconds_if_nothing_to_do", 60),
		size("background_move_processing_pool_thread_sleep_seconds_if_nothing_to_do", 60),
		// libchdb 26.7 leaves six threads of this pool behind each time that the
		// engine is closed. Tests open it some forty times in a process; a pool
		// without a free thread waits for ever when tables are loaded.
		size("max_thread_pool_size", 2000),
		size("max_thread_pool_free_size", 16),
		"--timezone=UTC",
	}
}

func (o Options) withDefaults() Options {
	if o.Library == "" {
		o.Library = LibraryPath()
	}
	if o.Connections <= 0 {
		o.Connections = 4
	}
	if o.Memory <= 0 {
		o.Memory = 700_000_000
	}
	if o.MergeThreads <= 0 {
		o.MergeThreads = 2
	}
	return o
}

// Close waits for the statements that run, stops the engine and gives the data
// folder free. Further calls do nothing.
func (e *Engine) Close() error {
	e.closeOnce.Do(func() {
		close(e.closing)
		for range cap(e.slots) {
			e.slots <- struct{}{}
		}
		e.killing.Lock()
		defer e.killing.Unlock()
		e.closed = true
		e.kept.close()
		e.lib.close(e.anchor)
		e.unlock()
		open.Unlock()
	})
	return nil
}

// acquire waits for a free slot.
func (e *Engine) acquire(ctx context.Context) error {
	select {
	case <-e.closing:
		return ErrClosed
	default:
	}
	select {
	case e.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.closing:
		return ErrClosed
	}
}

func (e *Engine) release() { <-e.slots }

// marker is the setting by which kill finds a statement; the query log, which
// would record it, does not exist here.
const marker = "log_comment"

// kill ends the statement with a mark and does not wait until it has. It needs
// no slot: all may be taken by statements to be killed.
func (e *Engine) kill(mark string) {
	e.killing.RLock()
	defer e.killing.RUnlock()
	if e.closed {
		return // a connection would start the engine again
	}
	c, err := e.lib.open(e.args)
	if err != nil {
		return
	}
	s := &session{lib: e.lib, conn: c}
	defer s.close()
	_, _ = s.run("KILL QUERY WHERE Settings['"+marker+"'] = '"+mark+"' ASYNC", "Null")
}
