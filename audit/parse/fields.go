package parse

import "strings"

// field is what of an event a variable of a format fills.
type field uint8

const (
	fIgnored field = iota
	fNamed         // a Field of the event
	fRemoteAddr
	fClientHost // an address, or what an X-Forwarded-For header says
	fRealip     // the peer where fRemoteAddr may come from a header
	fRemotePort
	fUser
	fDevice
	fTimeLocal // 02/Jan/2006:15:04:05 -0700
	fTimeISO
	fTimeClock // 02/Jan/2006:15:04:05.000 in the source's zone
	fTimeStrf  // by the strftime pattern of the variable
	fTimeZone  // +0000 of a time that stands apart
	fMsec      // seconds since 1970 with decimals
	fEpoch     // whole seconds since 1970
	fFraction  // decimals of the second that stand apart
	fTimeAny   // ISO 8601 or a number since 1970
	fRequest
	fMethod
	fRequestURI
	fURI
	fArgs
	fHost
	fServerName
	fStatus
	fBytesOut
	fBytesIn
	fSeconds
	fMillis
	fMicros
	fNanos
	fReferer
	fUserAgent
	fForwarded
	fRequestID
	fSession
	fTLSVersion
	fTLSCipher
	fSNI
	fCertVerify
	fCertSubject
	fCertSAN
	fCertHash
	fUpstream
	fProtocol // HTTP/1.1
	fFlags    // response flags of Envoy
	fTermination
	fCaptures
	fResult
	fDenied
	fAllowed
	fResourceType
	fResourceName
	numFields
)

// shape is what the value of a variable looks like.
type shape uint8

const (
	shapeAny shape = iota
	shapeNumber
	shapeSigned // a number that may have a sign in front
	shapeSeconds
	shapeTimeLocal
	shapeTimeISO
	shapeToken   // no space in it
	shapeVersion // HTTP/1.1
	shapeAddr
	shapeFixed // as wide as the variable says
	shapeBlock // {...}, or not there at all
)

func (s shape) String() string {
	return [...]string{"text", "a number", "a number", "seconds", "dd/Mon/yyyy:hh:mm:ss +zzzz", "yyyy-mm-ddThh:mm:ss+zz:zz", "text without a space", "a protocol version",
		"an address", "a time", "text in braces"}[s]
}

// fits reports whether a raw value has the shape; "-" and "" are missing ones.
func (s shape) fits(v string) bool {
	if s == shapeAny || v == "-" || v == "" {
		return true
	}
	switch s {
	case shapeNumber:
		_, ok := parseUint(v)
		return ok
	case shapeSigned:
		_, _, ok := parseSigned(v)
		return ok
	case shapeSeconds:
		_, ok := parseSeconds(strings.TrimPrefix(v, "-"))
		return ok
	case shapeTimeLocal:
		return len(v) == localTimeLen && v[2] == '/' && v[6] == '/' && v[11] == ':' && v[20] == ' '
	case shapeTimeISO:
		return len(v) >= 20 && len(v) <= 40 && v[4] == '-' && v[10] == 'T' && v[13] == ':'
	case shapeVersion:
		return len(v) <= 20 && strings.IndexByte(v, '/') > 0 && strings.IndexByte(v, ' ') < 0 && strings.IndexByte(v, '"') < 0
	case shapeToken, shapeAddr:
		return strings.IndexByte(v, ' ') < 0
	}
	return true
}

// variable says what a variable fills, what it looks like and whether a client
// chooses it.
type variable struct {
	field     field
	shape     shape
	client    bool
	fieldName string // of a named field
}
