package detecttest

import (
	"encoding/base64"
	"fmt"
	"math/rand"
	"net/url"
	"strings"

	"github.com/tallystick/tallystick/masking/detect"
)

// sample is one kind of the generated corpus.
type sample struct {
	kind  detect.Kind
	make  func(maker) string
	names []string // of fields that hold it
	prose []string // sentences with %s; none for values that need their name
}

func fixed(values ...string) func(maker) string {
	return func(m maker) string { return m.pick(values...) }
}

// samples are the kinds with ways in which their values stand in logs.
var samples = []sample{
	{"email", maker.email, []string{"email", "user", "to", "contactEmail", "q"}, []string{"mail sent to %s after 3 tries", "login failed for <%s>"}},
	{"phone", maker.phone, []string{"phone", "mobile", "contact", "telefone"}, []string{"sms to %s queued", "caller %s, waiting 12 s"}},
	{"ipv4", maker.ipv4, []string{"ip", "client", "remoteAddr"}, []string{"connection from %s closed", "peer %s:44210 timed out after 30 s"}},
	{"ipv6", maker.ipv6, []string{"ip", "client"}, []string{"connection from %s closed", "peer [%s]:443 timed out"}},
	{"mac", maker.mac, []string{"mac", "hwaddr"}, []string{"DHCPACK to %s via eth0"}},
	{"imei", maker.imei, []string{"imei", "device_imei"}, []string{"IMEI: %s registered"}},
	{"imsi", func(m maker) string { return "26201" + m.digits(10) }, []string{"imsi"}, []string{"IMSI %s attached"}},
	{"iccid", maker.iccid, []string{"iccid", "sim"}, []string{"SIM %s activated"}},
	{"card", maker.card, []string{"card", "cardNumber", "pan", "payment_card"}, []string{"charged card %s twice", "refund to %s refused"}},
	{"iban", maker.iban, []string{"iban", "account", "konto"}, []string{"transfer to %s done", "IBAN: %s"}},
	{"bic", fixed("DEUTDEFF", "BELADEBEXXX", "BRASBRRJBHE", "CHASUS33", "BNPAFRPP"), []string{"bic", "swift", "swiftCode"}, nil},
	{"pix", maker.pixCode, []string{"payload", "qr"}, []string{"code %s shown"}},
	{"pix", maker.uuid, []string{"pix", "chave_pix", "pixKey"}, nil},
	{"ssn", maker.ssn, []string{"ssn", "socialSecurityNumber"}, []string{"SSN %s does not match", "applicant gave %s"}},
	{"itin", maker.itin, []string{"itin", "taxId"}, []string{"ITIN %s does not match"}},
	{"ein", func(m maker) string { return m.pick("12", "45", "83") + "-" + m.digits(7) }, []string{"ein", "employer_ein"}, []string{"EIN %s is new"}},
	{"nino", maker.nino, []string{"nino", "nationalInsurance"}, []string{"NINO %s is new", "employee %s started"}},
	{"nhs_number", maker.nhs, []string{"nhs_number", "nhsNo"}, []string{"NHS number %s admitted"}},
	{"cpf", maker.cpf, []string{"cpf", "cpf_cliente", "cpfTitular"}, []string{"CPF %s consultado", "CPF: %s"}},
	{"cpf", maker.cpfDotted, []string{"cpf", "documento", "q"}, []string{"cliente %s consultado"}},
	{"cnpj", func(m maker) string { return m.cnpj(false) }, []string{"cnpj", "cnpj_fornecedor"}, []string{"CNPJ %s consultado"}},
	{"cnpj", func(m maker) string { return m.cnpj(true) }, []string{"cnpj"}, []string{"CNPJ %s consultado"}},
	{"cnpj", maker.cnpjDotted, []string{"cnpj", "empresa"}, []string{"fornecedor %s bloqueado"}},
	{"rg", maker.rg, []string{"rg", "identidade"}, []string{"RG %s conferido"}},
	{"pis", maker.pis, []string{"pis", "pis_pasep"}, []string{"PIS %s conferido"}},
	{"cnh", maker.cnh, []string{"cnh", "habilitacao"}, []string{"CNH %s vencida"}},
	{"dni", maker.dni, []string{"dni", "documentoIdentidad"}, []string{"DNI %s verificado", "titular %s verificado"}},
	{"nie", maker.nie, []string{"nie", "doc"}, []string{"NIE %s verificado"}},
	{"codice_fiscale", maker.codiceFiscale, []string{"codice_fiscale", "cf", "q"}, []string{"paziente %s ricoverato"}},
	{"nir", maker.nir, []string{"nir", "numero_secu"}, []string{"patient %s admis"}},
	{"steuer_id", maker.steuerID, []string{"steuer_id", "steuerID", "idnr"}, []string{"Steuer-ID %s gemeldet"}},
	{"bsn", maker.bsn, []string{"bsn", "burgerservicenummer"}, []string{"BSN %s opgevraagd"}},
	{"pesel", maker.pesel, []string{"pesel"}, []string{"PESEL %s sprawdzony"}},
	{"nif", maker.nif, []string{"nif", "contribuinte"}, []string{"NIF %s consultado"}},
	{"rijksregister", maker.rijksregister, []string{"rijksregisternummer", "insz"}, []string{"rijksregister %s opgevraagd"}},
	{"passport", func(m maker) string { return m.from("CFGHJK", 1) + m.digits(8) }, []string{"passport", "passportNumber", "passaporte"}, nil},
	{"mrz", maker.mrz, []string{"mrz", "line2"}, []string{"read %s at gate 4"}},
	{"vin", maker.vin, []string{"vin", "chassis"}, []string{"vehicle %s serviced"}},
	{"plate", func(m maker) string { return m.from(upperCase, 3) + m.digits(1) + m.from(upperCase, 1) + m.digits(2) }, []string{"plate", "placa", "kennzeichen"}, nil},
	{"gps", maker.gps, []string{"location", "pos", "ll"}, []string{"courier at %s"}},
	{"birth_date", maker.date, []string{"dob", "birth_date", "dataNascimento", "geburtsdatum"}, []string{"patient born %s admitted"}},
	{"jwt", maker.jwt, []string{"token", "id_token", "jwt"}, []string{"refused token %s"}},
	{"bearer", func(m maker) string { return m.from(base62, 40) }, []string{"access_token", "refresh_token"}, []string{"Authorization: Bearer %s"}},
	{"api_key", func(m maker) string {
		return m.pick("AKIA"+m.from(upperCase+"234567", 15)+"7", "ghp_"+m.from(base62, 35)+"4", "sk_live_"+m.from(base62, 23)+"9")
	}, []string{"api_key", "key", "token"}, []string{"found %s in a commit"}},
	{"password", func(m maker) string { return m.from(base62, 10) }, []string{"password", "pwd", "senha"}, nil},
	{"session", func(m maker) string { return m.from("0123456789ABCDEF", 32) }, []string{"JSESSIONID", "PHPSESSID", "session_id"}, nil},
	{"name", fixed("Maria", "Jürgen", "O'Brien", "Anne-Marie", "da Silva", "Müller"), []string{"first_name", "lastName", "nachname", "sobrenome"}, nil},
	{"name", fixed("Maria Silva", "Hans Peter Meyer", "Ana Souza"), []string{"name", "customer_name", "cardholder"}, nil},
	{"address", fixed("Rua das Flores 12", "221B Baker Street", "Hauptstr. 5", "10 Downing Street"), []string{"street", "address", "endereco"}, nil},
	{"address", func(m maker) string { return m.pick("24103", "90210", "01310-100", "SW1A 1AA") }, []string{"zip", "postal_code", "plz"}, nil},
	{"health", fixed("diabetes", "E11.9", "asthma", "A+"), []string{"diagnosis", "icd10", "blood_type", "allergies"}, nil},
	{"sensitive", fixed("catholic", "green party", "gay", "metal workers"), []string{"religion", "political_party", "sexual_orientation", "union_membership"}, nil},
}

// Generate returns a corpus of labelled lines: each of the samples in n lines,
// and as many lines again that hold nothing. The same seed gives the same bytes.
func Generate(seed int64, n int) string {
	m := maker{rand.New(rand.NewSource(seed))}
	var b strings.Builder
	b.WriteString("# Made by Generate in this package; go test ./masking/detect/detecttest -update writes it again.\n")
	for _, s := range samples {
		for range n {
			b.WriteString(m.line(s))
			b.WriteByte('\n')
		}
	}
	for range n * len(samples) {
		b.WriteString(m.nothing())
		b.WriteByte('\n')
	}
	return b.String()
}

func label(k detect.Kind, v string) string { return "⟦" + string(k) + "|" + v + "⟧" }

// line is one line that holds a value.
func (m maker) line(s sample) string {
	v, name := s.make(m), m.pick(s.names...)
	if len(s.prose) > 0 && m.Intn(3) == 0 {
		return m.clock() + " " + fmt.Sprintf(m.pick(s.prose...), label(s.kind, v))
	}
	switch m.Intn(8) {
	case 0, 1:
		escaped := url.QueryEscape(v)
		if m.Intn(4) == 0 {
			escaped = url.QueryEscape(escaped)
		}
		return m.access(name + "=" + label(s.kind, escaped))
	case 2:
		return m.access("data=" + packed(s.kind, fmt.Sprintf(`{"v":%d,"%s":"%s"}`, m.Intn(9), name, v), v))
	case 3:
		return fmt.Sprintf(`{"ts":"%s","level":"info","trace":"%s","user":{"profile":{"%s":"%s"}},"n":%d}`, m.stamp(), m.uuid(), name, label(s.kind, v), m.Intn(1e6))
	case 4:
		return fmt.Sprintf(`{"ts":"%s","body":"{\"page\":%d,\"%s\":\"%s\"}","size":%d}`, m.stamp(), m.Intn(50), name, label(s.kind, v), m.Intn(1e5))
	case 5:
		return fmt.Sprintf(`{"ts": "%s", "items": [{"id": %d, "%s": "%s"}], "took": %d.%03d}`, m.stamp(), m.Intn(1e9), name, label(s.kind, v), m.Intn(9), m.Intn(1000))
	case 6:
		if strings.Trim(v, "0123456789") == "" && v[0] != '0' && len(v) < 16 {
			return fmt.Sprintf(`{"ts":%d,"%s":%s,"ok":true}`, 1795221335+m.Intn(1e6), name, label(s.kind, v))
		}
		return fmt.Sprintf(`{"ts":%d,"%s":"%s","ok":true,"tags":null}`, 1795221335+m.Intn(1e6), name, label(s.kind, v))
	}
	return fmt.Sprintf(`%s INFO form saved %s="%s" in %d ms`, m.clock(), name, label(s.kind, v), m.Intn(900))
}

// packed is a JSON text in base64 with the label where the value ends up.
func packed(k detect.Kind, text, v string) string {
	at := strings.Index(text, v)
	e := base64.StdEncoding.EncodeToString([]byte(text))
	from, to := at*8/6, ((at+len(v))*8+5)/6
	return e[:from] + label(k, e[from:to]) + e[to:]
}

func (m maker) stamp() string {
	return fmt.Sprintf("2026-11-%02dT%02d:%02d:%02d.%03dZ", 1+m.Intn(28), m.Intn(24), m.Intn(60), m.Intn(60), m.Intn(1000))
}

func (m maker) clock() string { return strings.Replace(m.stamp()[:19], "T", " ", 1) }

// access is a line of an access log with a query.
func (m maker) access(query string) string {
	return fmt.Sprintf(`%s - - [%02d/Nov/2026:%02d:%02d:%02d +0000] "GET /v1/search?page=%d&%s&v=2 HTTP/1.1" 200 %d "-" "%s"`, label("ipv4", m.ipv4()),
		1+m.Intn(28), m.Intn(24), m.Intn(60), m.Intn(60), m.Intn(40), query, m.Intn(90000), m.agent())
}

func (m maker) agent() string {
	return m.pick("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36",
		"Mozilla/5.0 (X11; Linux x86_64; rv:129.0) Gecko/20100101 Firefox/129.0", "curl/8.5.0", "okhttp/4.12.0", "Go-http-client/1.1",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
}

// nothing is a line without personal data that looks like much: order numbers
// with a right check digit, versions, times, UUIDs and ids for tracking.
func (m maker) nothing() string {
	card := strings.NewReplacer(" ", "", "-", "").Replace(m.card())
	switch m.Intn(16) {
	case 0:
		return fmt.Sprintf(`{"ts":"%s","order_id":"%s","sku":"%s","qty":%d}`, m.stamp(), card, m.digits(13), m.Intn(9))
	case 1:
		return fmt.Sprintf("%s worker %d took job %s from shard %d at offset %s", m.clock(), m.Intn(64), m.uuid(), m.Intn(32), m.digits(11))
	case 2:
		return fmt.Sprintf(`"GET /orders/%s/items?trackingId=%s&gclid=%s HTTP/1.1" 200 %d "-" "%s"`, card, m.digits(16), m.from(base62, 30), m.Intn(9999), m.agent())
	case 3:
		return fmt.Sprintf("%s upgraded lib-%d.%d.%d to %d.%d.%d.%d build %s", m.clock(), m.Intn(9), m.Intn(30), m.Intn(90), 0, m.Intn(30), m.Intn(90), m.Intn(300), m.digits(9))
	case 4:
		return fmt.Sprintf(`{"ts":%s,"span":"%s","parent":"%s","dur_ns":%s}`, m.pick("17", "18")+m.digits(11), m.from("0123456789abcdef", 16), m.from("0123456789abcdef", 16), m.digits(10))
	case 5:
		return fmt.Sprintf(`"GET /static/app.%s.js?v=%s HTTP/1.1" 304 0 "-" "%s"`, m.from("0123456789abcdef", 20), m.digits(10), m.agent())
	case 6:
		return fmt.Sprintf("%s checkpoint %s written, %s bytes, crc %s, sha256 %s", m.clock(), m.digits(11), m.digits(9), m.from("0123456789abcdef", 8), m.from("0123456789abcdef", 64))
	case 7:
		return fmt.Sprintf(`{"event":"%s","request_id":"%s","seq":%s,"msg":"flushed %d of %d pages, lag 0.%s, 0.%s"}`, m.uuid(), m.digits(15), m.digits(14), m.Intn(900), m.Intn(9000), m.digits(4), m.digits(4))
	case 8:
		return fmt.Sprintf("%s invoice %s paid by transfer, reference %s, receipt %s", m.clock(), m.digits(9), m.digits(12), m.cpf())
	case 9:
		return fmt.Sprintf(`"GET /dp/B0%s/ref=sr_1_%d?qid=17%s&sr=8-%d HTTP/1.1" 200 %d "-" "%s"`, m.from(upperCase+"0123456789", 8), m.Intn(30), m.digits(8), m.Intn(30), m.Intn(90000), m.agent())
	case 10:
		return fmt.Sprintf(`{"ean":"%s","isbn":"978-3-16-%s-%d","price":%d.%02d,"stock":%s}`, m.digits(13), m.digits(6), m.Intn(10), m.Intn(900), m.Intn(100), m.digits(10))
	case 11:
		return fmt.Sprintf("%s kernel: [%5d.%06d] usb 1-%d: new device id %s serial %s", m.clock(), m.Intn(99999), m.Intn(1e6), m.Intn(8), m.from("0123456789abcdef", 8), m.from(upperCase+"0123456789", 12))
	case 12:
		return fmt.Sprintf(`{"cursor":"%s","etag":"W/\"%s-%s\"","next":%s}`, base64.RawURLEncoding.EncodeToString([]byte(m.from("\x00\x01\x02\x88\x90abc", 18))), m.from("0123456789abcdef", 4), m.from(base62, 22), m.digits(12))
	case 13:
		return fmt.Sprintf("%s 1.3.6.1.4.1.%s.2.1 = Gauge32: %s, if %d/%d/%d up", m.clock(), m.digits(5), m.digits(9), m.Intn(4), m.Intn(48), m.Intn(4))
	case 14:
		return fmt.Sprintf(`{"file_name":"report_%s.pdf","host_name":"node-%d","class_name":"a::b::C%d","event_name":"saved","status_code":200,"session_count":%d}`, m.digits(8), m.Intn(99), m.Intn(9), m.Intn(1000))
	}
	return fmt.Sprintf("%s %s retries=%d size=%s hash=%s commit=%s", m.clock(), m.pick("GC pause", "compaction", "lease renewed"), m.Intn(9), m.digits(10), m.digits(18), m.from("0123456789abcdef", 40))
}
