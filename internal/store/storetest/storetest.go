// Package storetest opens stores for tests, on the embedded engine. Only tests
// import it.
package storetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tallystick/tallystick/internal/embedded/clickhouse"
	"github.com/tallystick/tallystick/internal/store"
)

// shared is the engine of the test binary: libchdb has one data folder a
// process, so tests that run at once share it and have a database each. It
// closes when the last of them ends.
var shared struct {
	sync.Mutex
	engine *clickhouse.Engine
	dir    string
	users  int
}

var databases atomic.Uint32

// Open returns an empty store that closes when the test ends. Without libchdb
// the test is skipped, or fails when the variable CI is set.
func Open(t testing.TB) *store.Store {
	t.Helper()
	return OpenWith(t, func(*store.Deps) {})
}

// OpenWith is Open with other dependencies: with a transport around the
// engine's, or another clock.
func OpenWith(t testing.TB, change func(*store.Deps)) *store.Store {
	t.Helper()
	deps := store.Deps{Transport: Engine(t).Transport()}
	change(&deps)
	s, err := store.Open(context.Background(), store.Config{Database: Database()}, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Need skips the test when libchdb is missing, and fails it when CI is set.
func Need(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(clickhouse.LibraryPath()); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("libchdb, the embedded ClickHouse, is missing: run make fetch")
	}
	t.Skip("libchdb, the embedded ClickHouse, is missing: run make fetch")
}

// Cluster is a cluster of which the shared engine is the one node.
const Cluster = "one"

const clusterXML = `<clickhouse><tcp_port>9000</tcp_port><remote_servers><` + Cluster + `><shard><internal_replication>true</internal_replication>
<replica><host>127.0.0.1</host><port>9000</port></replica></shard></` + Cluster + `></remote_servers></clickhouse>
`

// Database is a name that no other test of the process has.
func Database() string { return fmt.Sprintf("test_%d", databases.Add(1)) }

// Engine returns the shared engine; it stays open until the test ends.
func Engine(t testing.TB) *clickhouse.Engine {
	t.Helper()
	Need(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.users == 0 {
		dir, err := os.MkdirTemp("", "tallystick-store-")
		if err != nil {
			t.Fatal(err)
		}
		config := filepath.Join(dir, "config.xml")
		if err := os.WriteFile(config, []byte(clusterXML), 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := clickhouse.Open(filepath.Join(dir, "data"), clickhouse.Options{Config: config})
		if err != nil {
			_ = os.RemoveAll(dir)
			t.Fatal(err)
		}
		shared.engine, shared.dir = e, dir
	}
	shared.users++
	t.Cleanup(release)
	return shared.engine
}

func release() {
	shared.Lock()
	defer shared.Unlock()
	shared.users--
	if shared.users == 0 {
		_ = shared.engine.Close()
		_ = os.RemoveAll(shared.dir)
		shared.engine = nil
	}
}
