package parse

import (
	"net/netip"
	"sort"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// Guess is a format that a sample of lines may have.
type Guess struct {
	Format string
	Share  float64 // of the sample's lines that the format knows, 0 to 1; one that can be read in two ways counts half
	Why    string  // for people: what speaks for it
}

// formatShapes say what speaks for a format.
var formatShapes = map[string]string{
	"nginx:combined":        "address - user [time] \"request\" status bytes \"referer\" \"user agent\"",
	"nginx:main":            "combined with the X-Forwarded-For header at the end",
	"nginx:vhost":           "combined with the host at the beginning",
	"nginx:ingress":         "combined with the upstream fields of ingress-nginx",
	"apache:common":         "address identity user [time] \"request\" status bytes",
	"apache:combined":       "the same shape as nginx:combined, with quotes behind backslashes",
	"apache:vhost_combined": "combined with host:port at the beginning",
	"haproxy:http":          "address:port [time] frontend backend/server timers status ... \"request\"",
	"haproxy:https":         "HAProxy's HTTP format with the TLS fields at the end",
	"haproxy:tcp":           "address:port [time] frontend backend/server timers bytes state",
	"haproxy:clf":           "common log format with HAProxy's fields at the end",
	"haproxy:json":          "one JSON object a line with names of HAProxy's variables",
	"squid:squid":           "seconds.milliseconds duration address result/status bytes method URL user hierarchy type",
	"squid:common":          "common log format with Squid's result at the end",
	"squid:combined":        "combined log format with Squid's result at the end",
	"envoy:json":            "one JSON object a line with keys of an Envoy access log",
	"envoy:als":             "one JSON object a line, as the als source writes entries of Envoy's Access Log Service",
	"envoy:default":         "[time] \"request\" status flags bytes ... in Envoy's default text",
	"envoy:istio":           "Envoy's text with the fields that Istio adds",
	"traefik:clf":           "combined with Traefik's count, router, server and duration",
	"traefik:generic":       "combined without Traefik's own fields",
	"traefik:json":          "one JSON object a line with StartUTC, RequestMethod, DownstreamStatus",
	"caddy:json":            "one JSON object a line with msg \"handled request\"",
	"kafka:authorizer":      "messages that begin with Principal = and name a resource",
	"kafka:request":         "Completed request: with a header, connection and principal",
	"confluent:audit":       "CloudEvents with data.methodName",
	"kroxylicious:json":     "JSON messages about authorisation decisions",
	"mosquitto:log":         "time: and messages of Mosquitto",
	"emqx:text":             "time [level] key: value, ... with clientid and msg",
	"emqx:json":             "one JSON object a line with clientid and msg or event",
}

// sameShape are formats whose lines can look the same, with what decides.
const sameShape = "; %s fits as well: the two differ only in how they escape, so name the one that your server writes"

// Recognise tries every named format on a sample and returns those that know at
// least one line, the best first. A line that tells of no access counts when
// the format knows it as one. Ties go to the format whose events are whole and
// say most; then to those that leave no escape unread; then to the one
// named first.
func Recognise(sample [][]byte) []Guess {
	type score struct {
		Guess
		whole int // events that can be read in one way only
		rich  int // values that say who did what, over all events
		left  int // events with an escape in them that another format would have read
	}
	var scores []score
	for _, name := range Names() {
		p, err := ByName(name)
		if err != nil {
			continue
		}
		b := &audit.Batch{Received: time.Now()}
		for _, l := range sample {
			if s := strings.TrimRight(string(l), "\r\n"); s != "" {
				b.Lines = append(b.Lines, audit.Line{Text: plain.New(s), Length: len(s)})
			}
		}
		if len(b.Lines) == 0 {
			return nil
		}
		reset(b)
		s := score{Guess: Guess{Format: name, Why: formatShapes[name]}}
		known, twofold := len(b.Lines), 0
		for i := range b.Lines {
			p.Parse(b, i)
			e := &b.Events[i]
			if e.Rejected {
				continue
			}
			if e.ParseStatus == audit.ParseOK && e.Integrity == audit.IntegrityOK {
				s.whole++
			}
			if e.Integrity == audit.IntegrityAmbiguous {
				twofold++
			}
			s.rich += richness(e)
			if strings.Contains(e.UserAgent.Reveal(access)+e.Target.Reveal(access)+e.Referer.Reveal(access), `\`) {
				s.left++
			}
		}
		for _, r := range b.Rejections {
			if r.Reason != audit.ReasonNotAccess {
				known--
			}
		}
		if len(b.Rejections) == len(b.Lines) {
			continue
		}
		s.Share = (float64(known) - float64(twofold)/2) / float64(len(b.Lines))
		scores = append(scores, s)
	}
	sort.SliceStable(scores, func(i, j int) bool {
		a, b := scores[i], scores[j]
		if a.Share != b.Share {
			return a.Share > b.Share
		}
		if a.whole != b.whole {
			return a.whole > b.whole
		}
		if a.rich != b.rich {
			return a.rich > b.rich
		}
		return a.left < b.left
	})
	guesses := make([]Guess, 0, len(scores))
	for i, s := range scores {
		for j, other := range scores {
			if i != j && s.Share == other.Share && s.whole == other.whole && s.left == other.left && twins[s.Format] == other.Format {
				s.Why += strings.Replace(sameShape, "%s", other.Format, 1)
			}
		}
		guesses = append(guesses, s.Guess)
	}
	return guesses
}

// richness counts the values of an event that say who did what.
func richness(e *audit.Event) int {
	n := 0
	for _, v := range []plain.Text{e.Method, e.Target, e.Host, e.UserAgent, e.Upstream, e.ResourceName, e.DeviceID, e.TLSVersion} {
		if !v.Empty() {
			n++
		}
	}
	if _, err := netip.ParseAddr(e.PeerAddr.Reveal(access)); err == nil {
		n++
	}
	if e.PeerPort != 0 {
		n++
	}
	return n
}

// twins are formats of the same shape.
var twins = map[string]string{"nginx:combined": "apache:combined", "apache:combined": "nginx:combined"}
