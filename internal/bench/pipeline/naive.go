package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
)

var (
	combined = regexp.MustCompile(`^(\S+) - (.*?) \[([^\]]+)\] "(\S+) (\S+) ([^"]+)" (\d{3}) (\d+) "([^"]*)" "([^"]*)"$`)
	email    = regexp.MustCompile(`[A-Za-z0-9._+-]+(@|%40)[A-Za-z0-9-]+\.[A-Za-z0-9.-]+`)
	naiveKey = []byte("0123456789abcdef0123456789abcdef")
)

type row struct {
	Addr, User, Time, Method, Target, Proto, Status, Bytes, Referer, Agent string
}

func naiveRow(line string) (row, bool) {
	m := combined.FindStringSubmatch(line)
	if m == nil {
		return row{}, false
	}
	return row{Addr: token(m[1]), User: token(m[2]), Time: m[3], Method: m[4], Target: email.ReplaceAllString(m[5], "[redacted]"),
		Proto: m[6], Status: m[7], Bytes: m[8], Referer: email.ReplaceAllString(m[9], "[redacted]"), Agent: m[10]}, true
}

func token(s string) string {
	if s == "-" {
		return s
	}
	h := hmac.New(sha256.New, naiveKey)
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil))
}
