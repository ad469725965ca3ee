package detect

import "strings"

// entry is what a word of the vocabulary says about the value that it names.
type entry struct {
	hash  uint32
	kinds bits // kinds that it makes sure
	field id   // kind that any fitting value under this name is
	other bool // the value is something else: an order, a session, a time
	empty bool // it says nothing: number, is, of
	exact bool // only as the whole name
}

// listed are words by what they say. Names are compared without case and
// separators, by the end of the name and part by part: billing_first_name ends
// in firstname, cpfDoCliente has the part cpf.
var listed = []struct {
	entry
	words string
}{
	{entry{kinds: set(card)}, "card cardno cardnumber cardnum pan cc ccnum ccnumber creditcard visa mastercard amex payment pay kreditkarte cartao cartão tarjeta carte cards"},
	{entry{kinds: set(ssn, itin)}, "ssn socialsecurity socialsecuritynumber"},
	{entry{kinds: set(itin, ein, ssn, nif, steuerID)}, "tin taxid taxpayer taxnumber"},
	{entry{kinds: set(ein)}, "ein fein employeridentificationnumber"},
	{entry{kinds: set(itin)}, "itin"},
	{entry{kinds: set(nino)}, "nino ninumber nationalinsurance insurance"},
	{entry{kinds: set(nhs)}, "nhs nhsno nhsnumber"},
	{entry{kinds: set(cpf)}, "cpf cpfs titular"},
	{entry{kinds: set(cpf, cnpj)}, "cpfcnpj documento doc inscricao"},
	{entry{kinds: set(cnpj)}, "cnpj empresa"},
	{entry{kinds: set(pis)}, "pis pasep pispasep nit nis"},
	{entry{kinds: set(cnh)}, "cnh habilitacao habilitação"},
	{entry{kinds: set(dni, nie)}, "dni nie identidad"},
	{entry{kinds: set(codiceFiscale)}, "codicefiscale cf fiscale"},
	{entry{kinds: set(nir)}, "nir securitesociale numerosecu secu"},
	{entry{kinds: set(steuerID)}, "steuerid idnr steueridentifikationsnummer steuernummer identifikationsnummer steuer"},
	{entry{kinds: set(bsn)}, "bsn burgerservicenummer sofinummer"},
	{entry{kinds: set(pesel)}, "pesel"},
	{entry{kinds: set(nif)}, "nif contribuinte"},
	{entry{kinds: set(rijksregister)}, "rijksregister rijksregisternummer insz niss nrn rrn registrenational"},
	{entry{kinds: set(ssn, itin, nino, cpf, dni, nie, codiceFiscale, bsn, pesel, nif, rijksregister, steuerID)}, "nationalid nationalidnumber personalid identitynumber idnumber"},
	{entry{kinds: set(imei)}, "imei"},
	{entry{kinds: set(imsi)}, "imsi"},
	{entry{kinds: set(iccid)}, "iccid sim simcard"},
	{entry{kinds: set(vin)}, "vin chassis chassi vehicle fahrgestellnummer fin"},
	{entry{kinds: set(pix)}, "pix chavepix pixkey chave"},
	{entry{kinds: set(iban)}, "iban account konto conta cuenta"},

	{entry{field: rg, kinds: set(rg)}, "rg rgnumber identidade"},
	{entry{field: bic}, "bic swift swiftcode biccode swiftbic"},
	{entry{field: passport}, "passport passportno passportnumber passaporte pasaporte reisepass passnummer"},
	{entry{field: plate, kinds: set(plate)}, "plate licenseplate licenceplate numberplate placa kennzeichen matricula platenumber plateno"},
	{entry{field: phone}, "phone phonenumber phoneno tel telephone mobile mobilephone mobilenumber cell cellphone celular telefone telefon telefono teléfono fone fax faxnumber msisdn whatsapp handy rufnummer telefonnummer telephonenumber phones"},
	{entry{field: gps}, "lat latitude lon lng long longitude"},
	{entry{field: birthDate, kinds: set(birthDate)}, "dob birthdate birthday dateofbirth birth born bday geburtsdatum geburtstag geboren datanascimento nascimento nascido nascida datadenascimento fechanacimento fechadenacimento nacimiento nacido naissance datenaissance datedenaissance datanascita nascita geboortedatum"},
	{entry{field: password}, "password passwd pwd pass passphrase senha passwort kennwort contrasena contraseña motdepasse newpassword oldpassword clientsecret secretkey pin cvv cvc"},
	{entry{field: bearer}, "authorization proxyauthorization accesstoken refreshtoken idtoken authtoken bearer bearertoken xauthtoken"},
	{entry{field: bearer, exact: true}, "auth"},
	{entry{field: apiKey}, "apikey xapikey apisecret secretaccesskey awssecretaccesskey accesskey privatekey appkey"},
	{entry{field: session}, "sessionid session phpsessid jsessionid aspsessionid aspnetsessionid sessid connectsid laravelsession sessionkey sessiontoken xsessionid sessioncookie csrfsession"},
	{entry{field: personName}, "firstname fname givenname forename lastname lname surname familyname fullname realname displayname customername patientname cardholder cardholdername accountholder holdername nomecompleto sobrenome primeironome nomecliente vorname nachname familienname apellido apellidos prenom nomdefamille cognome contactname recipientname employeename sendername mothersmaidenname maidenname nomedamae nomemae"},
	{entry{field: personName, exact: true}, "name nome nombre nom"},
	{entry{field: address}, "address street streetaddress addressline addressline1 addressline2 address1 address2 addr1 homeaddress postaladdress billingaddress shippingaddress deliveryaddress endereco endereço logradouro rua adresse strasse straße anschrift direccion dirección calle indirizzo rue zip zipcode postcode postalcode plz cep codigopostal codepostal"},
	{entry{field: health}, "diagnosis diagnose diagnostico diagnóstico icd icd10 icdcode disease illness symptom symptoms medication medicine prescription bloodtype bloodgroup allergy allergies alergias treatment disability patientnotes medicalhistory medicalcondition hivstatus pregnancy pregnant vaccination doenca doença medicamento gravidez krankheit befund anamnese enfermedad"},
	{entry{field: sensitive}, "religion religiao religião ethnicity race etnia raca raça politicalparty politicalopinion politicalaffiliation unionmembership tradeunion sindicato sexualorientation orientation sexuality orientacaosexual criminalrecord conviction convictions fingerprint biometric biometrics geneticdata genome religionszugehoerigkeit konfession"},
	{entry{field: userName}, "username userlogin loginname login nickname usuario benutzername"},

	// Names that end in one of the words above and mean something else.
	{entry{other: true}, `filename hostname servername servicename appname username2 classname methodname tablename columnname dbname databasename
		domainname eventname jobname taskname nodename podname containername imagename pluginname fieldname typename keyname tagname branchname
		clientname productname filepath hostaddress remoteaddress remoteaddr serveraddress ipaddress macaddress emailaddress memoryaddress
		baseaddress bindaddress listenaddress contractaddress walletaddress walletaddr remotehost tracecondition racecondition
		nextlogin lastlogin screenorientation pageorientation displayorientation imageorientation devicerace passcount bypass compass
		sessionduration sessioncount sessiontimeout tokentype expiresin cachekey primarykey foreignkey lonlat`},
	{entry{other: true}, `order orders orderid orderno ordernumber pedido bestellung bestellnummer tracking track trackingid trackingno trackingnumber trackingnum parcel
		ship shipment shipping invoice invoiceid invoiceno receipt sid time timestamp ts date datetime epoch created updated click clid gclid fbclid msclkid
		ref reference request requestid trace traceid span spanid id ids uid uuid guid txn tx transaction transactionid transactionno sku ean upc gtin isbn issn
		build seq sequence offset version ver serial serialno serialnumber nonce batch batchid ticket ticketid hash checksum sha md5 crc expires expiry cache
		etag port size bytes length count total amount price qty quantity cursor page item items product products article lot row line index job jobid task
		thread pid process event eventid msg message messageid campaign ad adid visitor device deviceid cookie consent partition shard node cluster rev revision
		commit case caseid correlation correlationid tracking_id barcode awb pnr flight booking reservation contract contractno policy policyno claim claimid
		customerid userid accountid memberid orderitem sample key model modelno part partno duration latency elapsed took uptime pos position bucket block tick`},
	{entry{empty: true}, "number no nr num n nº numero número is was of the on in at my your their his her de do da el la le é es ist value valor wert and und e a an for to code"},
}

// tableSize is a power of two with room for the vocabulary.
const tableSize = 4096

// vocabulary is listed by hash, in open addressing.
var vocabulary = func() (t [tableSize]entry) {
	for _, l := range listed {
		for _, w := range strings.Fields(l.words) {
			e := l.entry
			h := uint32(basis)
			for i := len(w) - 1; i >= 0; i-- {
				h = (h ^ hashBytes[w[i]]) * prime
			}
			e.hash = h
			i := h % tableSize
			for t[i].hash != 0 && t[i].hash != h {
				i = (i + 1) % tableSize
			}
			if t[i].hash == h { // both lists say something about it
				e.kinds |= t[i].kinds
				e.field = max(e.field, t[i].field)
				e.other = e.other && t[i].other
			}
			t[i] = e
		}
	}
	return t
}()

// tails are the last three letters of the names of fields, to tell most other
// names apart at a glance.
type tails [1 << 10]uint32

// tailsOf are the tails of the names of some kinds.
func tailsOf(on bits) (t tails) {
	for _, l := range listed {
		if l.field == noKind || !on.has(l.field) {
			continue
		}
		for _, w := range strings.Fields(l.words) {
			w = strings.TrimRight(w, "0123456789")
			n := len(w)
			if n > 2 {
				t[tail(w[n-1], w[n-2])] |= 1 << (w[n-3] & 31)
			} else {
				t[tail(w[n-1], w[n-2])] = 1<<32 - 1 // whatever stands before
			}
		}
	}
	return t
}

func tail(last, before byte) int { return int(last&31)<<5 | int(before&31) }

// may reports whether the name that ends at s[:end] can be one of them.
func (t *tails) may(s string, end int) bool {
	for end > 0 && (isDigit(s[end-1]) || s[end-1] == '_' || s[end-1] == ']') {
		end--
	}
	if end > 2 && plainClass[s[end-2]]&alnum != 0 {
		switch before := t[tail(s[end-1], s[end-2])]; {
		case before == 0:
			return false // as most
		case plainClass[s[end-1]]&plainClass[s[end-3]]&alnum != 0:
			return before>>(s[end-3]&31)&1 != 0
		}
	}
	var last [3]byte
	n := 0
	for end > 0 && n < 3 {
		end--
		if c := s[end]; isAlnum(c) || c >= 0x80 {
			last[n] = c
			n++
		} else if c != '_' && c != '-' && c != '.' && c != '[' {
			break
		}
	}
	return n > 1 && t[tail(last[0], last[1])]>>(last[2]&31)&1 != 0
}

// FNV-1a over hashBytes, from the last to the first.
const (
	basis = 2166136261
	prime = 16777619
)

func lookUp(h uint32) *entry {
	for i := h % tableSize; vocabulary[i].hash != 0; i = (i + 1) % tableSize {
		if vocabulary[i].hash == h {
			return &vocabulary[i]
		}
	}
	return nil
}

// maxName is the longest name that is read before a value.
const maxName = 48

// What a byte is in a name.
const (
	outside uint8 = iota
	between
	letter // and digits, and all that is not ASCII
	capital
)

var nameBytes = func() (t [256]uint8) {
	for c := range t {
		switch {
		case isUpper(byte(c)):
			t[c] = capital
		case isAlnum(byte(c)) || c >= 0x80:
			t[c] = letter
		case strings.IndexByte("_-.[]", byte(c)) >= 0:
			t[c] = between
		}
	}
	return t
}()

// hashBytes are the bytes as hashes take them: without case.
var hashBytes = func() (t [256]uint32) {
	for c := range t {
		t[c] = uint32(c)
		if c < 0x80 {
			t[c] |= 0x20
		}
	}
	return t
}()

// label is a name before a value, and what it says.
type label struct {
	start int
	kinds bits
	field id
	other bool
	empty bool
	exact bool // the name as a whole says it, weakly
}

// readLabel reads the name that ends at s[:end] from back to front.
func readLabel(s string, end int) (l label) {
	for end > 0 && (isDigit(s[end-1]) || s[end-1] == '_') { // email_2
		end--
	}
	whole, part, parts, i := uint32(basis), uint32(basis), 0, end
	exact := noKind
	for low := max(0, end-maxName); i > low; {
		c := s[i-1]
		is := nameBytes[c]
		if is < letter {
			if is == outside {
				break
			}
			i--
			continue
		}
		if whole = (whole ^ hashBytes[c]) * prime; parts > 0 {
			part = (part ^ hashBytes[c]) * prime
		}
		if i--; i > 0 {
			if before := nameBytes[s[i-1]]; before >= letter && (is != capital || before == capital) {
				continue // within a part
			}
		}
		exact = noKind
		if e := lookUp(whole); e != nil {
			l.field = e.field
			if e.exact {
				exact, l.field = e.field, noKind
			}
			if e.other {
				l.field = noKind
			}
			l.kinds |= e.kinds
			l.other = l.other || e.other
			l.empty = e.empty
		} else {
			l.empty = false
		}
		if parts > 0 {
			if e := lookUp(part); e != nil {
				l.kinds |= e.kinds
				l.other = l.other || e.other
			}
		}
		part = basis
		parts++
	}
	if exact != noKind {
		l.field, l.exact = exact, true
	}
	l.start = i
	l.other = l.other && l.kinds == 0
	return l
}

// within reports whether the name at start is the first one of a JSON object:
// the object's own name says more than number or value.
func within(s string, start int) bool {
	return start > 1 && s[start-1] == '"' && (s[start-2] == '{' || s[start-2] == ' ' && start > 2 && s[start-3] == '{')
}

// context is what the words before offset i say about the value there: the name
// of its field, the segment of the path before it, or up to four words.
func (sc *scanner) context(i int) (l label) {
	s := sc.s
	for range 4 {
		end, bound := i, false
		for end > 0 && i-end < 6 {
			c := s[end-1]
			if c == '=' || c == '"' || c == '\'' || c == '/' || c == '[' || c == '{' || c == '\\' {
				bound = true
			} else if c != ' ' && c != ':' && c != '#' && c != '(' && c != '+' && c != '-' {
				break
			}
			end--
		}
		if end == 0 {
			return readLabel(sc.name, len(sc.name))
		}
		if s[end-1] == '.' && end < i { // n. 123, id. no. 123
			end--
		}
		l = readLabel(s, end)
		if end == i || l.start == end || l.kinds != 0 || l.other || bound && !(l.empty && within(s, l.start)) {
			return l
		}
		i = l.start
	}
	return l
}
