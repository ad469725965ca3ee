package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Everything that the lines show is declared, so that only those raise a finding
// that have an address of a person in the URL.
const (
	config = `sources:
- {name: shop, file: access.log, format: "nginx:combined", system: shop, principal: [remote_user], from: beginning}
console: {listen: "127.0.0.1:0"}
`
	dataMap = `organisation: {key: own, name: Shop Ltd, country: DE}
systems:
- {key: shop, name: Shop, country: DE}
resources:
- {system: shop, match: "GET /orders/{number}", categories: []}
principals:
- {match: "svc-*", kind: service, org: own, country: DE, label: Batch jobs}
`
)

// site is one run of a binary.
type site struct {
	bin         string
	rate, share float64

	core   float64 // share of one core
	chunks int
	parts  map[string]int // written while measured, by table
	there  int            // parts of all tables at the end
	length time.Duration

	written map[int64]line // by offset in the log
	found   []float64      // seconds until the chunk of a line with a finding closed
	entered []float64      // the same of the others
}

// line is a line of the log.
type line struct {
	at    time.Time
	found bool
}

func (s *site) print() {
	all, each := 0, make([]string, 0, len(s.parts))
	for table, n := range s.parts {
		all += n
		if n > 0 {
			each = append(each, fmt.Sprintf("%s %d", table, n))
		}
	}
	slices.Sort(each)
	fmt.Printf("%-24s %8g %8g%% %8.2f %8d %11.0f %6d %12s %12s   %s\n", s.bin, s.rate, 100*s.share, 100*s.core, s.chunks,
		float64(all)/s.length.Hours(), s.there, spread(s.found), spread(s.entered), strings.Join(each, ", "))
}

// spread is the median and the most.
func spread(v []float64) string {
	if len(v) == 0 {
		return "-"
	}
	slices.Sort(v)
	return fmt.Sprintf("%.1f, %.1f", v[len(v)/2], v[len(v)-1])
}

// measure runs the binary in dir and feeds its log. What is asked of it stands
// outside the measured time.
func (s *site) measure(dir string, settle, length time.Duration) (err error) {
	bin, err := filepath.Abs(s.bin)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, text := range map[string]string{"tallystick.yaml": config, "datamap.yaml": dataMap, "access.log": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(bin, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))
		return cmd
	}
	run := command("run", "--log-level", "warn")
	var said bytes.Buffer
	run.Stderr = &said
	if err := run.Start(); err != nil {
		return err
	}
	defer func() {
		stopped := errors.Join(run.Process.Signal(syscall.SIGTERM), run.Wait())
		if err = errors.Join(err, stopped); err != nil {
			err = fmt.Errorf("%w: %s", err, said.Bytes())
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	fed := make(chan error, 1)
	go func() { fed <- s.feed(ctx, filepath.Join(dir, "access.log")) }()
	time.Sleep(settle)
	before, err := look(command)
	if err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	began, used := time.Now(), processorTime(run.Process.Pid)
	time.Sleep(length)
	s.length = time.Since(began)
	s.core = (processorTime(run.Process.Pid) - used).Seconds() / s.length.Seconds()
	after, err := look(command)
	if err != nil {
		return err
	}
	s.chunks, s.there, s.parts = after.chunks-before.chunks, after.there, map[string]int{}
	for table, n := range after.written {
		s.parts[table] = n - before.written[table]
	}
	cancel()
	if err := <-fed; err != nil {
		return err
	}
	return s.waited(command, began)
}

// waited finds how long lines that were written from began on waited for the
// close of their chunk; those of the last chunk are left out.
func (s *site) waited(command func(args ...string) *exec.Cmd, began time.Time) error {
	rows, err := ask(command, `SELECT offset, toUnixTimestamp64Milli(at) FROM (SELECT offset, chunk FROM entries) AS e
 INNER JOIN (SELECT id, at FROM chunks WHERE state = 'closed') AS c ON e.chunk = c.id`)
	if err != nil {
		return err
	}
	for _, row := range rows {
		offset, _ := strconv.ParseInt(row[0], 10, 64)
		closed, _ := strconv.ParseInt(row[1], 10, 64)
		l, ok := s.written[offset]
		if !ok || l.at.Before(began) {
			continue
		}
		wait := time.UnixMilli(closed).Sub(l.at).Seconds()
		if l.found {
			s.found = append(s.found, wait)
		} else {
			s.entered = append(s.entered, wait)
		}
	}
	return nil
}

// feed appends a line at a time, a few that raise a finding among them.
func (s *site) feed(ctx context.Context, path string) error {
	if s.rate == 0 {
		<-ctx.Done()
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := rand.New(rand.NewSource(1))
	s.written = map[int64]line{}
	offset := int64(0)
	tick := time.NewTicker(time.Duration(float64(time.Second) / s.rate))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			query, found := "", r.Float64() < s.share
			if found {
				query = fmt.Sprintf("?email=anna.silva%d@example.com", n)
			}
			s.written[offset] = line{time.Now(), found}
			size, err := fmt.Fprintf(f, "10.0.0.%d - svc-%d [%s] \"GET /orders/%d%s HTTP/1.1\" 200 %d \"-\" \"curl/8.5.0\"\n", 1+r.Intn(200), r.Intn(5),
				now.Format("02/Jan/2006:15:04:05 -0700"), n, query, r.Intn(60000))
			if err != nil {
				return err
			}
			offset += int64(size)
		}
	}
}

// looked is what the record says of itself.
type looked struct {
	chunks, there int
	written       map[string]int // parts ever, by table
}

// look asks the running instance. Blocks are numbered by table from one, so the
// highest is how many were written.
func look(command func(args ...string) *exec.Cmd) (*looked, error) {
	rows, err := ask(command, `SELECT table, countIf(active), max(max_block_number),
 (SELECT count() FROM chunks WHERE state = 'closed') FROM system.parts WHERE database = currentDatabase() GROUP BY table`)
	if err != nil {
		return nil, err
	}
	out := &looked{written: map[string]int{}}
	for _, row := range rows {
		there, _ := strconv.Atoi(row[1])
		out.there += there
		out.written[row[0]], _ = strconv.Atoi(row[2])
		out.chunks, _ = strconv.Atoi(row[3])
	}
	return out, nil
}

// ask returns the rows of a statement.
func ask(command func(args ...string) *exec.Cmd, sql string) ([][]string, error) {
	cmd := command("sql", "--format", "csv", "--limit", "1000000", sql)
	var said bytes.Buffer
	cmd.Stderr = &said
	b, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("failed to ask the record: %w: %s", err, said.Bytes())
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[1:], nil
}

// processorTime is what a process used, in hundredths of a second.
func processorTime(pid int) time.Duration {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // from the state, field 3
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
