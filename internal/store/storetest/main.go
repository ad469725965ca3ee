package storetest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Main is a TestMain for a package whose tests each open an engine of their
// own: libchdb has one data folder a process, so it runs every test in a process
// of its own, a few at once. When some tests are asked for (-run), or anything
// that one process has to answer (-bench, -cpuprofile and the like), it runs
// them here.
func Main(m *testing.M) {
	flag.Parse()
	here := false
	var args []string
	var log string
	flag.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "test.testlogfile":
			log = f.Value.String()
		case "test.paniconexit0", "test.timeout", "test.v", "test.count", "test.short":
			args = append(args, "-"+f.Name+"="+f.Value.String())
		default:
			here = true
		}
	})
	if here {
		os.Exit(m.Run())
	}
	if err := spread(args, log); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// spread runs each test of this binary in a process. What they read goes into
// log, by which go test knows whether its cached result still holds.
func spread(args []string, log string) error {
	dir, err := os.MkdirTemp("", "tallystick-tests-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	list, err := exec.Command(os.Args[0], "-test.list=.").Output()
	if err != nil {
		return fmt.Errorf("failed to list the tests: %w", err)
	}
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		fails int
		logs  = []byte("# test log\n")
		slots = make(chan struct{}, min(4, 2*runtime.GOMAXPROCS(0)))
	)
	for name := range strings.FieldsSeq(string(list)) {
		if strings.HasPrefix(name, "Benchmark") {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			own := filepath.Join(dir, name)
			out, err := exec.Command(os.Args[0], append([]string{"-test.run=^" + name + "$", "-test.testlogfile=" + own}, args...)...).CombinedOutput()
			read, _ := os.ReadFile(own) // a process that crashed wrote none
			mu.Lock()
			defer mu.Unlock()
			_, _ = os.Stdout.Write(bytes.TrimSuffix(out, []byte("PASS\n")))
			logs = append(logs, bytes.TrimPrefix(read, []byte("# test log\n"))...)
			if err != nil {
				fails++
				fmt.Printf("%s: %v\n", name, err)
			}
		})
	}
	wg.Wait()
	if fails > 0 {
		return fmt.Errorf("FAIL: %d tests", fails)
	}
	fmt.Println("PASS")
	if log == "" {
		return nil
	}
	return os.WriteFile(log, logs, 0o600)
}
