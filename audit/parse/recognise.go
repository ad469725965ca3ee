package parse

import (
	"sort"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// Guess is a format that a sample of lines may have.
type Guess struct {
	Format string
	Share  float64 // of the sample's lines that the format parses, 0 to 1
	Why    string  // for people: what speaks for it
}

// Recognise tries every named format on a sample and returns those that parse
// at least one line, the best first. Ties go to the format that is named first.
func Recognise(sample [][]byte) []Guess {
	var guesses []Guess
	why := map[string]string{
		"nginx:combined":   "address - user [time] \"request\" status bytes \"referer\" \"user agent\"",
		"nginx:main":       "combined with the X-Forwarded-For header at the end",
		"nginx:vhost":      "combined with the host at the beginning",
		"nginx:ingress":    "combined with the upstream fields of ingress-nginx",
		"envoy:json":       "one JSON object a line with keys of an Envoy access log",
		"kafka:authorizer": "messages that begin with Principal = and name a resource",
	}
	for _, name := range Names() {
		p, err := ByName(name)
		if err != nil {
			continue
		}
		b := &audit.Batch{Received: time.Now()}
		for _, l := range sample {
			s := strings.TrimRight(string(l), "\r\n")
			if s != "" {
				b.Lines = append(b.Lines, audit.Line{Text: plain.New(s), Length: len(s)})
			}
		}
		if len(b.Lines) == 0 {
			return nil
		}
		reset(b)
		for i := range b.Lines {
			p.Parse(b, i)
		}
		if n := len(b.Lines) - len(b.Rejections); n > 0 {
			guesses = append(guesses, Guess{Format: name, Share: float64(n) / float64(len(b.Lines)), Why: why[name]})
		}
	}
	sort.SliceStable(guesses, func(i, j int) bool { return guesses[i].Share > guesses[j].Share })
	return guesses
}
