package naive

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/scram"
	"github.com/tink-crypto/tink-go/v2/prf/subtle"
	"golang.org/x/sync/errgroup"

	"github.com/tallystick/tallystick/internal/embedded/broker"
	engine "github.com/tallystick/tallystick/internal/embedded/clickhouse"
)

const (
	topic     = "lines.v1"
	batchRows = 50_000
	// partitions of the embedded broker: the chain uses both cores.
	partitions = 2
)

// kinds are the personal data that the chain looks for in each line.
var kinds = []struct {
	name string
	re   *regexp.Regexp
}{
	{"email", regexp.MustCompile(`[A-Za-z0-9._%+-]+(?:@|%40)[A-Za-z0-9.-]+\.[A-Za-z]{2,24}`)},
	{"phone", regexp.MustCompile(`\+[1-9][0-9]{0,2}[ .-]?\(?[0-9]{2,4}\)?[ .-]?[0-9]{3,5}[ .-]?[0-9]{3,4}\b`)},
	{"iban", regexp.MustCompile(`\b[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}\b`)},
	{"card", regexp.MustCompile(`\b(?:4[0-9]{3}|5[1-5][0-9]{2}|6011|65[0-9]{2})[ +-]?[0-9]{4}[ +-]?[0-9]{4}[ +-]?[0-9]{4}\b`)},
	{"ssn", regexp.MustCompile(`\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b`)},
	{"cpf", regexp.MustCompile(`\b[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b`)},
	{"ipv4", regexp.MustCompile(`\b(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\b`)},
	{"ipv6", regexp.MustCompile(`\b(?:(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|(?:[0-9a-fA-F]{1,4}:){1,6}(?::[0-9a-fA-F]{1,4}){1,6})\b`)},
	{"gps", regexp.MustCompile(`-?\b[0-9]{1,2}\.[0-9]{4,8}, ?-?[0-9]{1,3}\.[0-9]{4,8}\b`)},
}

const ddl = `CREATE TABLE access (time DateTime, address String, user String, method LowCardinality(String), target String, protocol LowCardinality(String),
	status UInt16, bytes UInt64, referer String, agent LowCardinality(String), found Array(LowCardinality(String))) ENGINE = MergeTree ORDER BY time`

// Chain sends the lines of a file through Kafka and into ClickHouse, both
// embedded in dir as the product embeds them: kafka-go with its defaults, a
// regular expression for the line and one over it for each kind of personal data, a
// Tink call for each pseudonym, and Append for each row.
func Chain(ctx context.Context, file, dir string, lines int) error {
	b, err := broker.Start(filepath.Join(dir, "broker"))
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	e, err := engine.Open(filepath.Join(dir, "clickhouse"), engine.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = e.Close() }()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{"embedded:8123"},
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return e.Transport(), nil },
	})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.Exec(ctx, ddl); err != nil {
		return err
	}
	user, password := b.Credentials()
	mechanism, err := scram.Mechanism(scram.SHA256, user, password)
	if err != nil {
		return err
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return produce(ctx, file, b.Addr(), &kafka.Transport{SASL: mechanism}) })
	stored := make(chan int, partitions)
	for p := range partitions {
		g.Go(func() error {
			r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{b.Addr()}, Topic: topic, Partition: p, Dialer: &kafka.Dialer{SASLMechanism: mechanism}})
			defer func() { _ = r.Close() }()
			return store(ctx, r, conn, stored)
		})
	}
	for n := 0; n < lines; {
		select {
		case some := <-stored:
			n += some
		case <-ctx.Done():
			return g.Wait()
		}
	}
	done()
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	var n uint64
	if err := conn.QueryRow(context.Background(), "SELECT count() FROM access").Scan(&n); err != nil {
		return err
	}
	if n != uint64(lines) {
		return fmt.Errorf("the naive chain stored %d of %d lines", n, lines)
	}
	return nil
}

func produce(ctx context.Context, file, addr string, t *kafka.Transport) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	w := &kafka.Writer{Addr: kafka.TCP(addr), Topic: topic, Transport: t}
	defer func() { _ = w.Close() }()
	sc := bufio.NewScanner(f)
	var msgs []kafka.Message
	for sc.Scan() {
		if msgs = append(msgs, kafka.Message{Value: []byte(sc.Text())}); len(msgs) == 1000 {
			if err := w.WriteMessages(ctx, msgs...); err != nil {
				return err
			}
			msgs = nil
		}
	}
	if err := sc.Err(); err != nil {
		return err
	}
	return w.WriteMessages(ctx, msgs...)
}

// store inserts what a reader has every batchRows rows, and what is left when
// nothing comes for a while.
func store(ctx context.Context, r *kafka.Reader, conn clickhouse.Conn, stored chan<- int) error {
	mac, err := subtle.NewHMACPRF("SHA256", key)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		batch, err := conn.PrepareBatch(ctx, "INSERT INTO access")
		if err != nil {
			return err
		}
		n := 0
		for n < batchRows {
			wait, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			m, err := r.ReadMessage(wait)
			cancel()
			if err != nil {
				break
			}
			if err := appendRow(batch, mac, string(m.Value)); err != nil {
				return err
			}
			n++
		}
		if n == 0 {
			_ = batch.Abort()
			continue
		}
		if err := batch.Send(); err != nil {
			return err
		}
		stored <- n
	}
	return nil
}

// prf is a pseudorandom function of Tink.
type prf interface {
	ComputePRF(data []byte, outputLength uint32) ([]byte, error)
}

func appendRow(batch interface{ Append(v ...any) error }, mac prf, line string) error {
	m := combined.FindStringSubmatch(line)
	if m == nil {
		return fmt.Errorf("not a line of the workload: %d bytes", len(line))
	}
	at, err := time.Parse("02/Jan/2006:15:04:05 -0700", m[3])
	if err != nil {
		return err
	}
	var names [2]string
	for i, v := range []string{m[1], m[2]} {
		if v == "-" {
			continue
		}
		sum, err := mac.ComputePRF([]byte(v), 16)
		if err != nil {
			return err
		}
		names[i] = base64.RawURLEncoding.EncodeToString(sum)
	}
	target, referer := m[5], m[9]
	var found []string
	for _, k := range kinds {
		if len(k.re.FindAllStringIndex(line, -1)) > 0 {
			found = append(found, k.name)
			target, referer = k.re.ReplaceAllString(target, "["+k.name+"]"), k.re.ReplaceAllString(referer, "["+k.name+"]")
		}
	}
	status, _ := strconv.ParseUint(m[7], 10, 16)
	size, _ := strconv.ParseUint(m[8], 10, 64)
	return batch.Append(at, names[0], names[1], m[4], target, m[6], uint16(status), size, referer, m[10], found)
}
