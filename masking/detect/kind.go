package detect

// Kind is what a match is: one of the kinds below or the name of a detector
// of a rules file. Kinds are stored and shown.
type Kind string

// Info describes a kind.
type Info struct {
	Kind Kind
	// Category is its fideslang data category.
	Category string
	// Group is what controls know it as: national_id for the numbers of all
	// countries, credential for everything that opens a door.
	Group string
	// Checked says that a match of the kind can be validated by more than its
	// shape: a checksum, or a table of lengths and prefixes.
	Checked bool
}

// id numbers the built-in kinds, so that sets of them are bits.
type id uint8

const (
	noKind id = iota
	email
	phone
	ipv4
	ipv6
	mac
	imei
	imsi
	iccid
	card
	iban
	bic
	pix
	ssn
	ein
	itin
	nino
	nhs
	cpf
	cnpj
	rg
	pis
	cnh
	dni
	nie
	codiceFiscale
	nir
	steuerID
	bsn
	pesel
	nif
	rijksregister
	passport
	mrz
	vin
	plate
	gps
	birthDate
	jwt
	bearer
	apiKey
	password
	session
	personName
	address
	health
	sensitive
	userName
	firstCustom // detectors of a rules file are numbered from here on
)

// Kinds whose name other packages use.
const (
	Email Kind = "email"
	IPv4  Kind = "ipv4"
	IPv6  Kind = "ipv6"
	Card  Kind = "card"
)

const (
	nationalID   = "user.government_id.national_identification_number"
	nationalIDs  = "national_id"
	credentials  = "credential"
	deviceIDs    = "device"
	vehicleIDs   = "vehicle"
	fiscalNumber = "tax_id" // of organisations as well as people
)

// kinds describes the built-in kinds.
var kinds = [firstCustom]Info{
	email:         {Email, "user.contact.email", "email", false},
	phone:         {"phone", "user.contact.phone_number", "phone", true},
	ipv4:          {IPv4, "user.device.ip_address", "ipv4", true},
	ipv6:          {IPv6, "user.device.ip_address", "ipv6", true},
	mac:           {"mac", "user.device.device_id", deviceIDs, false},
	imei:          {"imei", "user.device.device_id", deviceIDs, true},
	imsi:          {"imsi", "user.device.device_id", deviceIDs, false},
	iccid:         {"iccid", "user.device.device_id", deviceIDs, true},
	card:          {Card, "user.financial.credit_card", "card", true},
	iban:          {"iban", "user.financial.bank_account", "iban", true},
	bic:           {"bic", "user.financial.bank_account", "bank", false},
	pix:           {"pix", "user.financial.bank_account", "bank", true},
	ssn:           {"ssn", nationalID, nationalIDs, false},
	ein:           {"ein", "user.government_id", fiscalNumber, false},
	itin:          {"itin", nationalID, nationalIDs, false},
	nino:          {"nino", nationalID, nationalIDs, false},
	nhs:           {"nhs_number", "user.health_and_medical.record_id", nationalIDs, true},
	cpf:           {"cpf", nationalID, nationalIDs, true},
	cnpj:          {"cnpj", "user.government_id", fiscalNumber, true},
	rg:            {"rg", nationalID, nationalIDs, true},
	pis:           {"pis", nationalID, nationalIDs, true},
	cnh:           {"cnh", "user.government_id.drivers_license_number", nationalIDs, true},
	dni:           {"dni", nationalID, nationalIDs, true},
	nie:           {"nie", "user.government_id.immigration", nationalIDs, true},
	codiceFiscale: {"codice_fiscale", nationalID, nationalIDs, true},
	nir:           {"nir", nationalID, nationalIDs, true},
	steuerID:      {"steuer_id", nationalID, nationalIDs, true},
	bsn:           {"bsn", nationalID, nationalIDs, true},
	pesel:         {"pesel", nationalID, nationalIDs, true},
	nif:           {"nif", nationalID, nationalIDs, true},
	rijksregister: {"rijksregister", nationalID, nationalIDs, true},
	passport:      {"passport", "user.government_id.passport_number", nationalIDs, false},
	mrz:           {"mrz", "user.government_id.passport_number", nationalIDs, true},
	vin:           {"vin", "user.government_id.vehicle_registration", vehicleIDs, true},
	plate:         {"plate", "user.government_id.vehicle_registration", vehicleIDs, false},
	gps:           {"gps", "user.location.precise", "location", false},
	birthDate:     {"birth_date", "user.demographic.date_of_birth", "birth_date", false},
	jwt:           {"jwt", "user.authorization.credentials", credentials, true},
	bearer:        {"bearer", "user.authorization.credentials", credentials, false},
	apiKey:        {"api_key", "user.authorization.credentials", credentials, false},
	password:      {"password", "user.authorization.password", credentials, false},
	session:       {"session", "user.device.cookie_id", "session", false},
	personName:    {"name", "user.name", "name", false},
	address:       {"address", "user.contact.address", "address", false},
	health:        {"health", "user.health_and_medical", "health", false},
	sensitive:     {"sensitive", "user.demographic", "sensitive", false},
	userName:      {"username", "user.account.username", "username", false},
}

// bits is a set of built-in kinds.
type bits uint64

func set(ids ...id) (b bits) {
	for _, k := range ids {
		b |= 1 << k
	}
	return b
}

func (b bits) has(k id) bool { return b>>k&1 != 0 }

// Kinds describes every kind that the detector can find.
func (d *Detector) Kinds() []Info {
	var out []Info
	for k := noKind + 1; k < firstCustom; k++ {
		if d.on.has(k) {
			out = append(out, kinds[k])
		}
	}
	for i := range d.custom {
		out = append(out, d.custom[i].info)
	}
	return out
}

// Info describes one kind; ok is false for a kind that is unknown here.
func (d *Detector) Info(k Kind) (info Info, ok bool) {
	info, ok = d.infos[k]
	return info, ok
}
