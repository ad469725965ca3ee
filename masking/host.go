package masking

import (
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/generalise"
	"github.com/tallystick/tallystick/masking/plain"
)

// shown is a host name that a client chose, as enrich says that it may be shown;
// an address is truncated and everything else redacted.
func shown(name plain.Text, may string) string {
	if name.Empty() {
		return ""
	}
	if n := generalise.HostPort(name.Reveal(access)); n != plain.Redacted {
		return n
	}
	if may == "" {
		return plain.Redacted
	}
	return may
}

// referer keeps scheme and shown host of a referer. Path and query are another
// site's and never kept.
func (m *mask) referer(s, may string) string {
	if s == "" {
		return ""
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme != "http" && scheme != "https" && scheme != "android-app" {
		return plain.Redacted
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	if rest == "" || strings.IndexByte(rest, '@') >= 0 {
		return plain.Redacted
	}
	h := shown(plain.New(rest), may)
	if h == plain.Redacted {
		return h
	}
	if l := m.lastReferer; len(l) == len(scheme)+len("://")+len(h) && l[:len(scheme)] == scheme && l[len(l)-len(h):] == h {
		return l // made of a scheme, :// and a host too, so these are the same
	}
	m.lastReferer = scheme + "://" + h
	return m.lastReferer
}

// upstream keeps the server that answered as shown does, and of a unix socket
// only that it is one.
func upstream(name plain.Text, may string) string {
	if s := name.Reveal(access); strings.HasPrefix(s, "unix:") || strings.HasPrefix(s, "envoy://") {
		return "local"
	}
	return shown(name, may)
}

// cipherWords are what names of cipher suites are made of, in IANA's spelling
// (TLS_AES_256_GCM_SHA384) and OpenSSL's (ECDHE-RSA-AES128-GCM-SHA256).
var cipherWords = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`TLS SSL WITH DHE ECDHE DH ECDH EDH EECDH ADH AECDH RSA DSS DSA ECDSA PSK SRP KRB5 NULL ANON ANULL EXPORT EXP
		AES AES128 AES256 AES128GCM AES256GCM 3DES DES CBC CBC3 EDE EDE3 GCM CCM CCM8 8 CTR OFB RC2 RC4 IDEA SEED CAMELLIA CAMELLIA128 CAMELLIA256
		ARIA ARIA128 ARIA256 CHACHA20 POLY1305 GOST GOST2001 GOST2012 GOST89 GOST94 SM3 SM4 KUZNYECHIK MAGMA MGM L S OMAC
		MD5 SHA SHA1 SHA256 SHA384 SHA512 IMIT FORTEZZA 40 56 128 168 256`) {
		m[w] = true
	}
	return m
}()

// cipher keeps a cipher suite. A name with another word in it is redacted.
func cipher(s string) string {
	if len(s) > 64 {
		return plain.Redacted
	}
	for rest := s; rest != ""; {
		w := rest
		if end := strings.IndexAny(rest, "-_"); end >= 0 {
			w, rest = rest[:end], rest[end+1:]
		} else {
			rest = ""
		}
		if !cipherWords[w] {
			return plain.Redacted
		}
	}
	return strings.Clone(s) // not the whole line
}

// carried has the words for every combination of audit.Carries. The lists are
// shared and never written to.
var carried = func() (all [32][]string) {
	words := [5]string{"tls", "purpose", "principal", "target", "outcome"}
	for n := range all {
		for bit, w := range words {
			if n&(1<<bit) != 0 {
				all[n] = append(all[n], w)
			}
		}
	}
	return all
}()

func carries(c audit.Carries) []string {
	n := 0
	for bit, has := range [5]bool{c.TLS, c.Purpose, c.Principal, c.Target, c.Outcome} {
		if has {
			n |= 1 << bit
		}
	}
	return carried[n]
}
