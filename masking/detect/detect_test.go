package detect_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/masking/detect"
)

var detector = detect.Default()

// found is the matches as KIND=TEXT.
func found(s string) []string {
	var out []string
	for _, m := range detector.Scan(nil, s) {
		out = append(out, string(m.Kind)+"="+s[m.Start:m.End])
	}
	return out
}

func TestScan(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     []string
	}{
		{"email", "to alice.meyer@example.com now", []string{"email=alice.meyer@example.com"}},
		{"email in query", "/s?email=a+b@x.co.uk&n=1", []string{"email=a+b@x.co.uk"}},
		{"email encoded", "/s?email=alice%40example.com&x=1", []string{"email=alice%40example.com"}},
		{"email encoded twice", "/s?u=alice%2540example.com", []string{"email=alice%2540example.com"}},
		{"email all encoded", "/s?u=%61lice%40example%2Ecom", []string{"email=%61lice%40example%2Ecom"}},
		{"email at two levels", "/s?u=a%2Bb@example.com", []string{"email=a%2Bb@example.com"}},
		{"email end of sentence", "<bob@example.com>.", []string{"email=bob@example.com"}},
		{"email unicode", "jürgen@müller.de", []string{"email=jürgen@müller.de"}},
		{"email punycode", "a@xn--mller-kva.xn--p1ai", []string{"email=a@xn--mller-kva.xn--p1ai"}},
		{"two emails", "a@b.de,c@d.org", []string{"email=a@b.de", "email=c@d.org"}},
		{"mailto", "mailto:a@b.de?subject=x", []string{"email=a@b.de"}},
		{"retina image", "/img/logo@2x.png", nil},
		{"npm package", "/npm/@angular/core@1.2.3", nil},
		{"user of a url", "https://deploy@git.example.com/x", nil},
		{"no domain", "alice@localhost", nil},
		{"twitter", "@alice hello", nil},
		{"dot before at", "a.@b.de", nil},

		{"ipv4", "/report?client=192.0.2.77&x", []string{"ipv4=192.0.2.77"}},
		{"ipv4 with port", "from 192.0.2.77:8080", []string{"ipv4=192.0.2.77"}},
		{"ipv4 in path", "/hosts/192.0.2.77/x", []string{"ipv4=192.0.2.77"}},
		{"ipv4 ends a sentence", "at 192.0.2.77.", []string{"ipv4=192.0.2.77"}},
		{"ipv4 encoded dots", "q=192%2E0%2E2%2E77", []string{"ipv4=192%2E0%2E2%2E77"}},
		{"browser version", "Chrome/128.0.0.0 Safari/537.36", nil},
		{"version", "v1.2.3.4 version=1.2.3.4 rv:1.9.3.20", nil},
		{"oid", "1.2.840.113549.1.9.1", nil},
		{"long version", "1.2.3.4.5", nil},
		{"leading zero", "01.02.03.04", nil},
		{"octet too big", "300.1.1.1", nil},
		{"loopback", "127.0.0.1 0.0.0.0 255.255.255.255", nil},
		{"octets at both ends", "1.1.1.1", []string{"ipv4=1.1.1.1"}},
		{"octets of all lengths", "9.25.255.0 223.99.100.10", []string{"ipv4=9.25.255.0", "ipv4=223.99.100.10"}},
		{"octet with a leading zero at the end", "1.1.1.00 1.1.010.1 1.1.1.256", nil},
		{"package", "lib-1.2.3.4-beta", nil},

		{"ipv6", "from 2001:db8::7 to", []string{"ipv6=2001:db8::7"}},
		{"ipv6 in brackets", "http://[2001:db8:0:1:2:3:4:5]:443/", []string{"ipv6=2001:db8:0:1:2:3:4:5"}},
		{"ipv6 encoded", "ip=2001%3Adb8%3A%3A7", []string{"ipv6=2001%3Adb8%3A%3A7"}},
		{"unique local", "fd00:1::2", []string{"ipv6=fd00:1::2"}},
		{"clock", "12:34:56", nil},
		{"mac", "00:1b:44:11:3a:b7", []string{"mac=00:1b:44:11:3a:b7"}},
		{"loopback6", "::1 ::", nil},
		{"c++", "std::vector a::b dead::beef", nil},
		{"urn", "urn:uuid:aaaa", nil},

		{"card", "card=4111111111111111&x=1", []string{"card=4111111111111111"}},
		{"card in groups", "no 4111 1111 1111 1111 ok", []string{"card=4111 1111 1111 1111"}},
		{"card with dashes", "5555-5555-5555-4444", []string{"card=5555-5555-5555-4444"}},
		{"card with plus", "c=4111+1111+1111+1111", []string{"card=4111+1111+1111+1111"}},
		{"card encoded spaces", "c=4111%201111%201111%201111", []string{"card=4111%201111%201111%201111"}},
		{"amex", "3782 822463 10005", []string{"card=3782 822463 10005"}},
		{"card in a path", "/pay/4242424242424242/confirm", []string{"card=4242424242424242"}},
		{"card number id", "card_id=4111111111111111", []string{"card=4111111111111111"}},
		{"no luhn", "4111111111111112", nil},
		{"order number", "order=4111111111111111 /orders/4111111111111111 orderId=4111111111111111", nil},
		{"tracking id", "tracking_no: 4111111111111111", nil},
		{"milliseconds", "1795221335317", nil},
		{"uuid", "41111111-1111-4111-8111-111111111111", nil},
		{"uuid group before", "cafe-4111111111111111", nil},
		{"decimal", "0.4111111111111111", nil},
		{"part of hex", "a4111111111111111f", nil},
		{"longer digits", "41111111111111111111111", nil},
		{"no issuer", "9999999999999995", nil},
		{"wrong groups", "41 11111111 111111", nil},
		{"card before other numbers", "200 4111 1111 1111 1111 17", []string{"card=4111 1111 1111 1111"}},

		{"phone", "call +49 (0) 431 123456 now", []string{"phone=+49 (0) 431 123456"}},
		{"phone before a size", "+55 11 91234-5678 200 512", []string{"phone=+55 11 91234-5678"}},
		{"phone in a query", "/?phone=%2B4915112345678", []string{"phone=%2B4915112345678"}},
		{"phone with its name", "tel=0431 123456", nil},
		{"phone that is hidden", `tel="••• ••" phone="+••4" mobile="***-0000000"`, nil},
		{"phone quoted with its name", `tel="0431 123456"`, []string{"phone=0431 123456"}},
		{"time zone", "+0200 +1000", nil},
		{"iban", "DE89370400440532013000 GB82 WEST 1234 5698 7654 32", []string{"iban=DE89370400440532013000", "iban=GB82 WEST 1234 5698 7654 32"}},
		{"cpf needs its name", "cpf=52998224725 n=52998224725", []string{"cpf=52998224725"}},
		{"cpf in a name of parts", `{"cpfDoCliente":52998224725}`, []string{"cpf=52998224725"}},
		{"cpf dotted", "529.982.247-25", []string{"cpf=529.982.247-25"}},
		{"cnpj of 2026", "CNPJ 12ABC34501DE35", []string{"cnpj=12ABC34501DE35"}},
		{"nir", "1 84 12 76 451 089 46", []string{"nir=1 84 12 76 451 089 46"}},
		{"nir of Corsica", "184122A45108906", nil},
		{"mrz", "L898902C36UTO7408122F1204159ZE184226B<<<<<10", []string{"mrz=L898902C36UTO7408122F1204159ZE184226B<<<<<10"}},
		{"mrz with the name", "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", []string{"mrz=P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"}},
		{"jwt", "t eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln x", []string{"jwt=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"}},
		{"basic", "Authorization: Basic YTpi", []string{"password=YTpi"}},
		{"key of a service", "k=AKIAIOSFODNN7EXAMPLE", []string{"api_key=AKIAIOSFODNN7EXAMPLE"}},
		{"born", "born on 12.03.1987, seen 12.03.2026", []string{"birth_date=12.03.1987"}},
		{"born at a time", "born 1987-03-12T13:05:22Z", nil},
		{"after a time", "2026-11-21T13:05:22.123Z 192.0.2.77 2026-11-21T13:05:22+02:00/2001:db8::7", []string{"ipv4=192.0.2.77", "ipv6=2001:db8::7"}},
		{"seconds are a latitude", "2026-11-21T13:05:22.123456,12.123456", []string{"gps=22.123456,12.123456"}},
		{"time without seconds", "2026-11-21T13:05 192.0.2.77", []string{"ipv4=192.0.2.77"}},
		{"full name", `{"name":"Ana Souza"} {"name":"gzip"}`, []string{"name=Ana Souza"}},
		{"first name in a list", `"first_names": ["Ana", "José"], "first_name":["Ana","José"]`, []string{"name=Ana", "name=José"}},
		{"header", "X-Customer-Name: Ana Souza, more", []string{"name=Ana Souza"}},
		{"other endings", `{"file_name":"Ana Souza","hostname":"Ana"}`, nil},
		{"health of any type", `{"pregnant":true,"allergies":["nuts"],"diagnosis":null}`, []string{"health=true", "health=nuts"}},
		{"JSON in JSON", `{"body":"{\"email\":\"a@b.de\",\"first_name\":\"Ana\"}"}`, []string{"email=a@b.de", "name=Ana"}},
		{"JSON escapes", `{"mail":"a\u0040b.de","street":"H\u00f6he 5"}`, []string{`address=H\u00f6he 5`, `email=a\u0040b.de`}},
		{"base64", "q=eyJlbWFpbCI6ImFsaWNlQGV4YW1wbGUuY29tIn0=", []string{"email=mFsaWNlQGV4YW1wbGUuY29t"}},
		{"base64 in a query in JSON", `{"u":"/x?d=eyJjcGYiOiI1Mjk5ODIyNDcyNSJ9%3D"}`, []string{"cpf=I1Mjk5ODIyNDcyNS"}},
		{"not UTF-8", "\xff\xfe cpf=52998224725 \xc3", []string{"cpf=52998224725"}},
		{"empty", "", nil},
		{"percent only", "100% of %zz %4", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, found(tc.in)); d != "" {
				t.Errorf("%q (-want +got):\n%s", tc.in, d)
			}
		})
	}
}

// TestEncodings holds that a value is found at every level of encoding up to
// two and that its span covers it exactly.
func TestEncodings(t *testing.T) {
	for _, v := range []string{"alice@example.com", "192.0.2.77", "2001:db8::7", "4111 1111 1111 1111", "4242424242424242"} {
		for level := range 3 {
			enc := v
			for range level {
				enc = strings.ReplaceAll(url.QueryEscape(enc), "+", "%20")
			}
			m := detector.Scan(nil, "/s?x="+enc+"&y=1")
			if len(m) != 1 || m[0].Start != 5 || m[0].End != 5+len(enc) {
				t.Errorf("%q at level %d: %v", v, level, m)
			}
		}
	}
}

// FuzzScan holds that spans are in range and not empty, and that matches of one
// kind do not overlap.
func FuzzScan(f *testing.F) {
	for _, s := range []string{"a%40b.de", "4111 1111 1111 1111", "2001:db8::7", "1.2.3.4", "%25%2540@@::..", "a%2Bb@example.com %61"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ms := detector.Scan(nil, s)
		for i, m := range ms {
			if m.Start < 0 || m.End > len(s) || m.Start >= m.End || m.Confidence == 0 {
				t.Fatalf("%+v in %d bytes", m, len(s))
			}
			for _, o := range ms[:i] {
				if o == m {
					t.Fatalf("%+v twice", m)
				}
			}
		}
	})
}

func BenchmarkScan(b *testing.B) {
	ua := "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36 "
	words := "the service has started and is waiting for work on all of its queues; nothing else to say about this one. "
	target := "/api/v1/orders/8123456/items?page=12&sort=asc&sid=0a1b2c3d4e5f6071 "
	for _, tc := range []struct{ name, text string }{
		{"words", strings.Repeat(words, 40)},
		{"agents", strings.Repeat(ua, 40)},
		{"targets", strings.Repeat(target, 40)},
		{"emails", strings.Repeat("/s?email=alice.meyer@example.com&page=1 ", 40)},
		{"encoded", strings.Repeat("/s?email=alice.meyer%40example.com&page=1 ", 40)},
	} {
		b.Run(tc.name, func(b *testing.B) {
			dst := make([]detect.Match, 0, 256)
			b.SetBytes(int64(len(tc.text)))
			for b.Loop() {
				dst = detector.Scan(dst[:0], tc.text)
			}
		})
	}
}

func ExampleDetector_Scan() {
	s := "GET /search?email=alice%40example.com HTTP/1.1"
	for _, m := range detector.Scan(nil, s) {
		info, _ := detector.Info(m.Kind)
		fmt.Println(m.Kind, info.Category, s[m.Start:m.End])
	}
	// Output: email user.contact.email alice%40example.com
}
