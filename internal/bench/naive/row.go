// Package naive is the program that anyone would write first, for comparison:
// regular expressions, a MAC object or Tink call a value, encoding/json, and
// the drivers of Kafka and ClickHouse as their examples show them.
//
// It seals, proves and judges nothing, and loses lines when it dies. Only the
// benchmarks run it.
package naive

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"regexp"
)

var (
	combined = regexp.MustCompile(`^(\S+) - (.*?) \[([^\]]+)\] "(\S+) (\S+) ([^"]+)" (\d{3}) (\d+) "([^"]*)" "([^"]*)"$`)
	email    = regexp.MustCompile(`[A-Za-z0-9._+-]+(@|%40)[A-Za-z0-9-]+\.[A-Za-z0-9.-]+`)
	key      = []byte("0123456789abcdef0123456789abcdef")
)

type row struct {
	Addr, User, Time, Method, Target, Proto, Status, Bytes, Referer, Agent string
}

// Rows parses each line with a regular expression, pseudonymises address and
// user, redacts e-mail addresses and writes one JSON object a line to nowhere.
func Rows(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	w := bufio.NewWriterSize(io.Discard, 1<<20)
	enc := json.NewEncoder(w)
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		m := combined.FindStringSubmatch(sc.Text())
		if m == nil {
			continue
		}
		err := enc.Encode(row{Addr: token(m[1]), User: token(m[2]), Time: m[3], Method: m[4], Target: email.ReplaceAllString(m[5], "[redacted]"),
			Proto: m[6], Status: m[7], Bytes: m[8], Referer: email.ReplaceAllString(m[9], "[redacted]"), Agent: m[10]})
		if err != nil {
			return err
		}
	}
	return sc.Err()
}

func token(s string) string {
	if s == "-" {
		return s
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil))
}

// Parse is Rows without MACs and redaction: it parses each line with a regular
// expression and writes one JSON object a line to nowhere.
func Parse(r io.Reader) error {
	out := json.NewEncoder(bufio.NewWriterSize(io.Discard, 1<<20))
	in := bufio.NewScanner(r)
	for in.Scan() {
		m := combined.FindStringSubmatch(in.Text())
		if m == nil {
			return errors.New("a line does not match")
		}
		if err := out.Encode(row{m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], m[9], m[10]}); err != nil {
			return err
		}
	}
	return in.Err()
}
