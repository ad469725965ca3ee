package parse

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// values are values that make a field of the event only together, and what
// setting them needs.
type values struct {
	loc                   *time.Location
	work                  *scratch // nil outside layouts
	uri, args, serverName string
	realip                string
	version               string // HTTP/1.1
	flags                 string
	time                  time.Time
	fraction              time.Duration
	zone                  int // seconds east of UTC of a zone that stood apart
	timeOK, timed, zoned  bool
	apart                 bool // a zone stood apart
	timeAt                int
}

// set fills what v stands for with an un-escaped value; false if the value is
// not what the variable holds.
func (g *values) set(e *audit.Event, v *slot, s string) bool {
	switch v.field {
	case fNamed:
		addField(e, v.fieldName, s)
	case fRemoteAddr:
		port := e.PeerPort
		splitAddr(e, strings.TrimSuffix(s, ":"))
		if port != 0 {
			e.PeerPort = port
		}
	case fRealip:
		g.realip = s
	case fRemotePort:
		n, _ := parseUint(s)
		e.PeerPort = uint16(n)
	case fUser:
		if s != `""` {
			e.User = plain.New(s)
		}
	case fTimeLocal, fTimeISO, fTimeClock, fTimeStrf, fTimeZone, fMsec, fEpoch, fFraction, fTimeAny:
		g.setTime(v, s)
	case fRequest:
		if s == "<BADREQ>" || s == "-" {
			s = "" // HAProxy could not read the request
		}
		splitRequest(e, s)
	case fMethod:
		if s != "<BADREQ>" {
			e.Method = plain.New(s)
		}
	case fRequestURI:
		if s != "<BADREQ>" {
			e.Target = plain.New(s)
		}
	case fURI:
		g.uri = s
	case fArgs:
		g.args = s
	case fHost:
		e.Host = plain.New(s)
	case fServerName:
		g.serverName = s
	case fStatus, fBytesOut, fBytesIn, fSeconds, fMillis, fMicros, fNanos:
		return setNumber(e, v.field, s)
	case fReferer:
		e.Referer = plain.New(s)
	case fUserAgent:
		e.UserAgent = plain.New(s)
	default:
		g.setRest(e, v.field, s)
	}
	return true
}

// setNumber fills a number. A plus sign marks a value that was logged before
// the end, a minus sign one that there is none of.
func setNumber(e *audit.Event, f field, s string) bool {
	switch s[0] {
	case '-':
		return len(s) > 1 && numberEnd(s, 0) == len(s)
	case '+':
		e.ParseStatus = audit.ParsePartial
		s = s[1:]
	}
	switch f {
	case fSeconds:
		d, ok := parseSeconds(s)
		e.Duration = d
		return ok
	case fMillis, fMicros, fNanos:
		per := time.Millisecond
		if f == fMicros {
			per = time.Microsecond
		} else if f == fNanos {
			per = time.Nanosecond
		}
		if strings.IndexByte(s, '.') >= 0 {
			d, ok := parseSeconds(s)
			e.Duration = d / (time.Second / per)
			return ok
		}
		n, ok := parseUint(s)
		if ok = ok && n < math.MaxInt64/uint64(per); ok {
			e.Duration = time.Duration(n) * per
		}
		return ok
	}
	n, ok := parseBytes(s)
	switch f {
	case fStatus:
		if n > 999 {
			return false
		}
		e.Status = uint16(n)
	case fBytesOut:
		e.BytesOut = n
	case fBytesIn:
		e.BytesIn = n
	}
	return ok
}

func (g *values) setRest(e *audit.Event, f field, s string) {
	t := plain.New(s)
	switch f {
	case fForwarded:
		splitForwarded(e, s)
	case fClientHost:
		if strings.IndexByte(s, ',') >= 0 {
			splitForwarded(e, s)
		} else {
			splitAddr(e, s)
		}
	case fRequestID:
		e.RequestID = t
	case fSession:
		e.Session = t
	case fDevice:
		e.DeviceID = t
	case fTLSVersion:
		e.TLSVersion = t
	case fTLSCipher:
		e.TLSCipher = t
	case fSNI:
		e.SNI = t
	case fCertVerify:
		e.ClientCertVerified = s == "SUCCESS"
	case fCertSubject:
		e.ClientCertSubject = t
	case fCertSAN:
		e.ClientCertSAN = t
	case fCertHash:
		e.ClientCertHash = t
	case fUpstream:
		if last := lastTry(s); !strings.HasPrefix(last, "<") { // <NOSRV> and <STATS> of HAProxy
			e.Upstream = plain.New(last)
		}
	case fProtocol:
		g.version = s
	case fFlags:
		g.flags = s
	case fTermination:
		addField(e, "termination", s)
	case fCaptures:
		addCaptures(e, s)
	case fResult:
		addField(e, "result", s)
	case fDenied:
		e.Denied = isDenial(s)
	case fAllowed:
		e.Denied = !isPermit(s)
	case fResourceType:
		e.ResourceType = t
	case fResourceName:
		e.ResourceName = t
	}
}

// isDenial reports whether a value says that an access was refused.
func isDenial(s string) bool {
	switch strings.ToLower(s) {
	case "true", "yes", "1", "deny", "denied", "block", "blocked", "reject", "rejected", "refused", "unauthorized", "forbidden":
		return true
	}
	return false
}

// isPermit reports whether a value says that an access was allowed.
func isPermit(s string) bool {
	switch strings.ToLower(s) {
	case "true", "yes", "1", "allow", "allowed", "permit", "permitted", "granted", "ok", "success":
		return true
	}
	return false
}

// setTime reads the time; of several, one with decimals of the second counts.
func (g *values) setTime(v *slot, s string) {
	switch v.field {
	case fFraction:
		n, ok := parseUint(s)
		for i := len(s); i < 9; i++ {
			n *= 10
		}
		if ok && len(s) <= 9 {
			g.fraction = time.Duration(n)
		}
		return
	case fTimeZone:
		if n, zone := zoneLen(s); n > 0 && n == len(s) {
			g.zone, g.apart = zone, true
		}
		return
	}
	if g.timed && g.timeOK && v.field != fMsec {
		return
	}
	g.timed = true
	switch v.field {
	case fTimeLocal:
		g.time, g.timeOK = g.localTime(s)
		g.zoned = true
	case fTimeISO:
		var n int
		g.time, n, g.zoned, g.timeOK = isoTime(s, g.location())
		g.timeOK = g.timeOK && n == len(s)
	case fTimeClock:
		g.time, g.timeOK = clockTime(s, g.location())
	case fTimeStrf:
		g.time, g.zoned, g.timeOK = v.strf.parse(s, g.location())
	case fMsec:
		d, ok := parseSeconds(s)
		g.time, g.timeOK, g.zoned = time.Unix(0, int64(d)).UTC(), ok, true
	case fEpoch:
		n, ok := parseUint(s)
		g.time, g.timeOK, g.zoned = time.Unix(int64(n), 0).UTC(), ok && len(s) <= 10, true
	case fTimeAny:
		g.time, g.zoned, g.timeOK = anyTime(s, g.location())
	}
}

// localTime is localTime with the last answer kept.
func (g *values) localTime(s string) (time.Time, bool) {
	w := g.work
	if w == nil {
		return localTime(s)
	}
	if string(w.timeText[:]) == s {
		return w.time, true
	}
	t, ok := localTime(s)
	if ok {
		copy(w.timeText[:], s)
		w.time = t
	}
	return t, ok
}

func (g *values) location() *time.Location {
	if g.loc == nil {
		return time.UTC
	}
	return g.loc
}

// anyTime reads ISO 8601, the time of the common log format with or without a
// zone, or seconds, milliseconds, microseconds or nanoseconds since 1970: which,
// follows from the size of the number.
func anyTime(s string, loc *time.Location) (t time.Time, zoned, ok bool) {
	var n int
	if t, n, zoned, ok = isoTime(s, loc); ok {
		return t, zoned, n == len(s)
	}
	if u, isInt := parseUint(s); isInt {
		switch {
		case u < 1e11:
			return time.Unix(int64(u), 0).UTC(), true, true
		case u < 1e14:
			return time.UnixMilli(int64(u)).UTC(), true, true
		case u < 1e17:
			return time.UnixMicro(int64(u)).UTC(), true, true
		case u < math.MaxInt64:
			return time.Unix(0, int64(u)).UTC(), true, true
		}
		return time.Time{}, false, false
	}
	if t, ok = clockTime(s, loc); ok {
		return t, false, true
	}
	if t, ok = localTime(s); ok {
		return t, true, true
	}
	if d, isSeconds := parseSeconds(s); isSeconds {
		return time.Unix(0, int64(d)).UTC(), true, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 1e14 {
		return time.Time{}, false, false
	}
	if f > 1e11 {
		f /= 1000
	}
	whole, frac := math.Modf(f)
	return time.Unix(int64(whole), int64(math.Round(frac*1e6))*1000).UTC(), true, true
}

// lastTry is the last of nginx's upstreams: ", " stands between tries, " : "
// between internal redirects.
func lastTry(s string) string {
	if i := strings.LastIndex(s, ", "); i >= 0 {
		s = s[i+2:]
	}
	if i := strings.LastIndex(s, " : "); i >= 0 {
		s = s[i+3:]
	}
	return s
}

// finish sets what depends on several variables. expected says what the time
// looks like.
func (g *values) finish(b *audit.Batch, i int, expected string) {
	e := &b.Events[i]
	if g.apart && !g.zoned {
		g.time, g.zoned = g.time.Add(-time.Duration(g.zone)*time.Second), true
	}
	if g.fraction != 0 {
		g.time = g.time.Add(g.fraction)
	}
	if !setTime(b, i, g.time, g.timeOK, g.timeAt, expected) {
		return
	}
	if e.TimeQuality = audit.TimeAssumed; g.zoned {
		e.TimeQuality = audit.TimeZoned
	}
	if e.PeerAddr.Empty() && g.realip == "" {
		e.PeerPort = 0 // the number of a unix socket
	}
	if e.Target.Empty() && g.uri != "" {
		if g.args != "" {
			g.uri += "?" + strings.TrimPrefix(g.args, "?")
		}
		e.Target = plain.New(g.uri)
	}
	if e.Host.Empty() {
		e.Host = plain.New(g.serverName)
	}
	if g.realip != "" {
		g.setPeer(e)
	}
	if e.Auth != "" {
		return // the format knows better
	}
	how := "basic"
	if e.User.Empty() && e.ClientCertVerified {
		how = "mtls"
	}
	userOf(e, how)
	if e.User.Empty() && e.ClientCertVerified {
		e.Auth = "mtls"
	}
}

// setPeer puts the peer in the place of an address that came from a header,
// which becomes the last hop.
func (g *values) setPeer(e *audit.Event) {
	client, port := e.PeerAddr, e.PeerPort
	splitAddr(e, g.realip)
	if client.Reveal(access) == e.PeerAddr.Reveal(access) {
		if e.PeerPort == 0 {
			e.PeerPort = port
		}
		return
	}
	if !client.Empty() {
		e.Forwarded = append(e.Forwarded[:0], client)
	}
}

// setFlags reads the response flags of Envoy.
func setFlags(e *audit.Event, flags string) {
	if hasFlag(flags, "UAEX") {
		e.Denied, e.DenyBy = true, "authz"
	} else if hasFlag(flags, "RL") {
		e.Denied, e.DenyBy = true, "proxy"
	}
	addField(e, "response_flags", flags)
}
