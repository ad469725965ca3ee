package parse

import (
	"strings"
	"time"
)

// kafkaHeader is the beginning of a line as log4j lays it out.
type kafkaHeader struct {
	time          time.Time
	timeOK, zoned bool
	timeAt        int
	level         string
	bracketed     bool // [time] LEVEL: the layout of Kafka's own configuration
	end           int  // where the message may begin
}

// header reads the layouts of Kafka ([%d] %p), of Confluent ([%p] %d) and of
// Strimzi and others (%d %p).
func (k *kafka) header(line string) (kafkaHeader, bool) {
	var h kafkaHeader
	s := line
	if strings.HasPrefix(s, "[") {
		if w, _, ok := strings.Cut(s[1:], "] "); ok && kafkaLevel(w) {
			h.level, h.timeAt = w, len(w)+3
		} else {
			h.timeAt, h.bracketed = 1, true
		}
	}
	var n int
	h.time, n, h.zoned, h.timeOK = isoTime(line[h.timeAt:], k.opt.loc)
	if n == 0 {
		return h, false
	}
	h.end = h.timeAt + n
	rest := line[h.end:]
	if h.bracketed {
		if !strings.HasPrefix(rest, "]") {
			return h, false
		}
		h.end++
		rest = rest[1:]
	}
	if !strings.HasPrefix(rest, " ") {
		return h, false
	}
	if h.level == "" {
		trimmed := strings.TrimLeft(rest, " ")
		w, _, _ := strings.Cut(trimmed, " ")
		if kafkaLevel(w) {
			h.level = w
			h.end += len(rest) - len(trimmed) + len(w)
		}
	}
	return h, true
}

func kafkaLevel(s string) bool {
	switch s {
	case "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL":
		return true
	}
	return false
}
