package main

import (
	"fmt"
	"math/rand"
	"strings"
)

// generator writes the two corpora, the same bytes for the same seed.
//
// dense: half access-log lines with a client address, half JSON with three to
// nine values. sparse: service-log lines of which three in a hundred carry one
// value, with many ids, times and versions.
type generator struct{ *rand.Rand }

func (g generator) pick(s ...string) string { return s[g.Intn(len(s))] }

var (
	firstNames = []string{"maria", "joao", "anna", "peter", "li", "fatima", "carlos", "ines", "john", "sofia", "pedro", "olga", "raj", "emma", "lucas"}
	lastNames  = []string{"silva", "santos", "mueller", "smith", "wang", "khan", "garcia", "costa", "ivanova", "patel", "jones", "rossi", "dubois"}
	domains    = []string{"gmail.com", "example.com", "outlook.com", "empresa.com.br", "firma.de", "mail.ru", "uni.edu", "corp.example.org"}
	agents     = []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36",
		"Mozilla/5.0 (X11; Linux x86_64; rv:129.0) Gecko/20100101 Firefox/129.0", "curl/8.5.0", "okhttp/4.12.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
	}
)

func (g generator) email() string {
	return fmt.Sprintf("%s.%s%d@%s", g.pick(firstNames...), g.pick(lastNames...), g.Intn(99), g.pick(domains...))
}

func (g generator) card() string {
	d := []byte(g.pick("4", "51", "55", "6011"))
	for len(d) < 15 {
		d = append(d, '0'+byte(g.Intn(10)))
	}
	sum := 0
	for i, c := range d {
		v := int(c - '0')
		if i%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	d = append(d, '0'+byte((10-sum%10)%10))
	return strings.Join([]string{string(d[:4]), string(d[4:8]), string(d[8:12]), string(d[12:])}, g.pick(" ", "-", ""))
}

func (g generator) cpf() string {
	var d [11]int
	for i := range 9 {
		d[i] = g.Intn(10)
	}
	for k := 9; k < 11; k++ {
		sum := 0
		for i := range k {
			sum += d[i] * (k + 1 - i)
		}
		d[k] = sum * 10 % 11 % 10
	}
	return fmt.Sprintf("%d%d%d.%d%d%d.%d%d%d-%d%d", d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10])
}

func (g generator) iban() string {
	country := g.pick("DE", "PT", "ES")
	b := make([]byte, map[string]int{"DE": 18, "PT": 21, "ES": 20}[country])
	rest := 0
	for i := range b {
		b[i] = '0' + byte(g.Intn(10))
		rest = (rest*10 + int(b[i]-'0')) % 97
	}
	for _, c := range country {
		rest = (rest*100 + int(c-'A'+10)) % 97
	}
	return fmt.Sprintf("%s%02d%s", country, 98-rest*100%97, b)
}

func (g generator) phone() string {
	switch g.Intn(3) {
	case 0:
		return fmt.Sprintf("+55 11 9%04d-%04d", g.Intn(10000), g.Intn(10000))
	case 1:
		return fmt.Sprintf("+1-%03d-%03d-%04d", 201+g.Intn(700), 200+g.Intn(700), g.Intn(10000))
	}
	return fmt.Sprintf("+49 151 %04d %04d", g.Intn(10000), g.Intn(10000))
}

func (g generator) ssn() string {
	return fmt.Sprintf("%03d-%02d-%04d", 1+g.Intn(660), 1+g.Intn(98), 1+g.Intn(9998))
}

func (g generator) ipv4() string {
	return fmt.Sprintf("%d.%d.%d.%d", 1+g.Intn(223), g.Intn(256), g.Intn(256), g.Intn(256))
}

func (g generator) ipv6() string {
	if g.Intn(2) == 0 {
		return fmt.Sprintf("2001:db8:%x:%x::%x", g.Intn(65536), g.Intn(65536), g.Intn(65536))
	}
	return fmt.Sprintf("2001:db8:%x:%x:%x:%x:%x:%x", g.Intn(65536), g.Intn(65536), g.Intn(65536), g.Intn(65536), g.Intn(65536), g.Intn(65536))
}

func (g generator) gps() string {
	return fmt.Sprintf("%.6f,%.6f", g.Float64()*180-90, g.Float64()*360-180)
}

func (g generator) uuid() string {
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", g.Uint32(), g.Intn(65536), g.Intn(4096), g.Intn(4096), g.Int63n(1<<48))
}

func (g generator) time() string {
	return fmt.Sprintf("2026-11-%02dT%02d:%02d:%02d.%03dZ", 1+g.Intn(28), g.Intn(24), g.Intn(60), g.Intn(60), g.Intn(1000))
}

// value is one value of the nine kinds, with the name of its field.
func (g generator) value() (name, value string) {
	switch g.Intn(9) {
	case 0:
		return "email", g.email()
	case 1:
		return "phone", g.phone()
	case 2:
		return "iban", g.iban()
	case 3:
		return "card_number", g.card()
	case 4:
		return "ssn", g.ssn()
	case 5:
		return "cpf", g.cpf()
	case 6:
		return "client_ip", g.ipv4()
	case 7:
		return "addr6", g.ipv6()
	}
	return "location", g.gps()
}

// corpus is size bytes of lines of a mode.
func corpus(mode string, size int) string {
	g := generator{rand.New(rand.NewSource(7))}
	var b strings.Builder
	for b.Len() < size {
		switch {
		case mode == "sparse":
			g.service(&b)
		case g.Intn(2) == 0:
			g.access(&b)
		default:
			g.event(&b)
		}
	}
	return b.String()
}

func (g generator) access(b *strings.Builder) {
	ip, query := g.ipv4(), ""
	if g.Intn(10) == 0 {
		ip = g.ipv6()
	}
	switch g.Intn(20) {
	case 0:
		query = "?email=" + g.email()
	case 1:
		query = "?card=" + strings.ReplaceAll(g.card(), " ", "+")
	case 2, 3, 4, 5:
		query = fmt.Sprintf("?page=%d&sid=%016x", g.Intn(90), g.Uint64())
	}
	fmt.Fprintf(b, "%s - - [%02d/Nov/2026:%02d:%02d:%02d +0000] \"GET /api/v1/users/%d%s HTTP/1.1\" 200 %d \"-\" \"%s\"\n",
		ip, 1+g.Intn(28), g.Intn(24), g.Intn(60), g.Intn(60), g.Intn(1<<24), query, g.Intn(90000), g.pick(agents...))
}

func (g generator) event(b *strings.Builder) {
	fmt.Fprintf(b, `{"ts":"%s","level":"info","svc":"orders-%d","trace":"%s","msg":"customer %s %s updated order %d"`,
		g.time(), g.Intn(9), g.uuid(), g.pick(firstNames...), g.pick(lastNames...), g.Intn(1<<30))
	for i := range 3 + g.Intn(7) {
		name, value := g.value()
		fmt.Fprintf(b, `,"%s_%d":"%s"`, name, i, value)
	}
	fmt.Fprintf(b, `,"amount":%d.%02d,"notes":"%s"}`+"\n", g.Intn(10000), g.Intn(100), strings.Repeat("delivered to the customer without any remarks ", g.Intn(4)))
}

func (g generator) service(b *strings.Builder) {
	fmt.Fprintf(b, `{"ts":"%s","level":"info","svc":"inventory-%d","host":"node-%d.eu-west-1.internal","trace":"%s","span":"%016x","dur_ms":%d.%03d,"ver":"v%d.%d.%d",`,
		g.time(), g.Intn(20), g.Intn(300), g.uuid(), g.Uint64(), g.Intn(900), g.Intn(1000), g.Intn(9), g.Intn(30), g.Intn(90))
	fmt.Fprintf(b, `"msg":"processed batch %d of %d items in %d shards, cursor %d","path":"/srv/data/%08x/%d.parquet"`,
		g.Intn(1<<20), g.Intn(5000), g.Intn(64), g.Int63n(1<<50), g.Uint32(), g.Intn(999))
	if g.Intn(100) < 3 {
		name, value := g.value()
		fmt.Fprintf(b, `,"%s":"%s"`, name, value)
	}
	fmt.Fprintf(b, `,"detail":"%s"}`+"\n", strings.Repeat("no anomaly detected during reconciliation of the segment; ", g.Intn(4)))
}
