package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// rulebase is nginx's combined format for liblognorm.
const rulebase = `version=2
rule=:%addr:word% - %user:word% [%time:char-to:]%] "%method:word% %target:word% %proto:char-to:"%" %status:number% %bytes:number% "%referer:char-to:"%" "%agent:char-to:"%"
`

const config = `global(workDirectory="%[1]s" maxMessageSize="16k")
module(load="imfile")
module(load="mmnormalize")
template(name="json" type="list") { property(name="$!all-json-plain") constant(value="\n") }
ruleset(name="all") {
  action(type="mmnormalize" rulebase="%[1]s/rulebase" useRawMsg="off")
  action(type="omfile" file="%[1]s/out.json" template="json" ioBufferSize="64k")
}
input(type="imfile" file="%[2]s" tag="x" ruleset="all" freshStartTail="off")
`

// rsyslog runs a fresh rsyslogd over the lines and stops it once all are
// written; its start and its end are in the time.
func rsyslog(root, lines string, n int) (run, error) {
	dir, err := os.MkdirTemp(lines, "rsyslog-*")
	if err != nil {
		return run{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	conf := filepath.Join(dir, "rsyslog.conf")
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "rulebase"), []byte(rulebase), 0o600),
		os.WriteFile(conf, fmt.Appendf(nil, config, dir, filepath.Join(lines, "access.log")), 0o600),
	); err != nil {
		return run{}, err
	}
	lib := filepath.Join(root, "usr/lib", "x86_64-linux-gnu")
	cmd := exec.Command(filepath.Join(root, "usr/sbin/rsyslogd"), "-n", "-f", conf, "-i", filepath.Join(dir, "pid"), "-M", filepath.Join(lib, "rsyslog"))
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+lib)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	begin, cpu := time.Now(), used(syscall.RUSAGE_CHILDREN)
	if err := cmd.Start(); err != nil {
		return run{}, err
	}
	out := filepath.Join(dir, "out.json")
	last, err := await(out, n)
	wall := last.Sub(begin)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if end := cmd.Wait(); err != nil || end != nil {
		return run{}, fmt.Errorf("rsyslogd: %w\n%s", errors.Join(err, end), said.Bytes())
	}
	return run{wall, used(syscall.RUSAGE_CHILDREN) - cpu}, check(out, n)
}

// await waits until n lines are in a file, for at most five minutes, and returns
// when the last came.
func await(path string, n int) (last time.Time, err error) {
	var size int64
	for limit := time.Now().Add(5 * time.Minute); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		st, err := os.Stat(path)
		switch {
		case err != nil:
		case st.Size() != size:
			size, last = st.Size(), time.Now()
		case time.Since(last) > 300*time.Millisecond: // counting costs the other programs' core
			data, err := os.ReadFile(path)
			if err != nil || bytes.Count(data, []byte("\n")) >= n {
				return last, err
			}
			time.Sleep(time.Second)
		}
	}
	return last, fmt.Errorf("not %d lines within five minutes", n)
}

// check wants each line of the output to be a line that was understood.
func check(path string, n int) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if got, whole := bytes.Count(data, []byte("\n")), bytes.Count(data, []byte(`"agent"`)); got != n || whole != n {
		return fmt.Errorf("rsyslogd wrote %d lines of %d, and understood %d", got, n, whole)
	}
	return nil
}
