package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tallystick/tallystick/internal/embedded/clickhouse"
)

// asBinary makes the test binary behave as tallystick: for tests that start
// processes without a script.
const asBinary = "TALLYSTICK_TEST_AS_BINARY"

func TestMain(m *testing.M) {
	if os.Getenv(asBinary) != "" {
		os.Exit(run())
	}
	testscript.Main(m, map[string]func(){"tallystick": func() { os.Exit(run()) }})
}

// TestScripts runs testdata/*.txt against the program. In them code N is a
// command that must exit with N, and twolines ERROR HINT checks that standard
// error is exactly the two lines of an error, which match the expressions.
func TestScripts(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, ".config"))
			e.Setenv("XDG_CACHE_HOME", cache)
			e.Setenv("TALLYSTICK_LIBCHDB", os.Getenv("TALLYSTICK_LIBCHDB"))
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond != "libchdb" {
				return false, fmt.Errorf("unknown condition %s", cond)
			}
			_, err := os.Stat(clickhouse.LibraryPath())
			if err != nil && os.Getenv("CI") != "" {
				return false, errors.New("libchdb, the embedded ClickHouse, is missing: run make fetch")
			}
			return err == nil, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code": code, "twolines": twoLines, "unkeyed": unkeyed, "setmode": setMode,
		},
	})
}

// code N COMMAND... runs a command that must exit with N.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// twoLines ERROR HINT checks the error that the last command printed.
func twoLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: twolines ERROR HINT")
	}
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile("stderr"), "\n"), "\n")
	if len(lines) != 2 {
		ts.Fatalf("standard error has %d lines, want error and hint", len(lines))
	}
	for i, prefix := range []string{"error: ", "hint: "} {
		rest, ok := strings.CutPrefix(lines[i], prefix)
		if !ok || !regexp.MustCompile(args[i]).MatchString(rest) {
			ts.Fatalf("%q does not begin with %q and match %q", lines[i], prefix, args[i])
		}
	}
}

var pseudonyms = regexp.MustCompile(`v1\.[a-z0-9]+\.[A-Za-z0-9_-]{22}`)

// unkeyed FROM TO copies a file with its pseudonyms replaced, which differ with
// each run.
func unkeyed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: unkeyed FROM TO")
	}
	out := pseudonyms.ReplaceAllString(ts.ReadFile(args[0]), "v1.KEY.TOKEN")
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(out), 0o600))
}

// setMode MODE FILE changes a file's mode.
func setMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: setmode MODE FILE")
	}
	mode, err := strconv.ParseUint(args[0], 8, 32)
	ts.Check(err)
	ts.Check(os.Chmod(ts.MkAbs(args[1]), os.FileMode(mode)))
}
