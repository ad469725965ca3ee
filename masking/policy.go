package masking

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/strictyaml"
	"github.com/tallystick/tallystick/internal/text"
)

//go:embed default.yaml
var defaultPolicy []byte

// PolicyVersion is the version of the policy format.
const PolicyVersion = 1

// transform is what becomes of a field.
type transform string

// The transforms; default.yaml explains them.
const (
	keep          transform = "keep"
	drop          transform = "drop"
	redact        transform = "redact"
	pseudonymDay  transform = "pseudonym day"
	pseudonymYear transform = "pseudonym year"
	truncate      transform = "truncate"
	toFamily      transform = "family"
	toTemplate    transform = "template"
	toHost        transform = "host"
	toWord        transform = "word"
)

// Policy says how each field of an entry is made. It can make an entry say
// less than the default, never more: which transforms a field may have is
// decided here and not in the file.
type Policy struct {
	id     string
	fields map[string]transform
	vault  []kept
}

// policyFile is the YAML form.
type policyFile struct {
	Version int                 `yaml:"version"`
	Fields  map[string]string   `yaml:"fields"`
	Vault   map[string][]string `yaml:"vault"`
}

// DefaultPolicy is the built-in policy.
func DefaultPolicy() *Policy {
	p, err := ParsePolicy("default.yaml", defaultPolicy)
	if err != nil {
		panic("the built-in masking policy does not load: " + err.Error()) // a test loads it
	}
	return p
}

// ParsePolicy reads a policy. name is for messages.
func ParsePolicy(name string, data []byte) (*Policy, error) {
	var f policyFile
	doc, err := strictyaml.Decode(name, data, &f)
	if err != nil {
		return nil, err
	}
	if f.Version != PolicyVersion {
		return nil, doc.Fault("version", "write version: 1", "version %d of the policy format is unknown", f.Version)
	}
	sum := sha256.Sum256(data)
	p := &Policy{id: hex.EncodeToString(sum[:6]), fields: map[string]transform{}}
	for _, field := range audit.EntryFields {
		t := transform(f.Fields[field.Name])
		if t == "" {
			t = redact
		}
		if fixed(field.Name) && t != keep {
			return nil, doc.Fault("fields", "add "+field.Name+": keep", "%s says where an entry stands and has to be kept", field.Name)
		}
		if err := permitted(field.Name, t); err != nil {
			return nil, withPlace(doc, field.Name, err)
		}
		p.fields[field.Name] = t
		delete(f.Fields, field.Name)
	}
	if p.vault, err = parseVault(doc, f.Vault); err != nil {
		return nil, err
	}
	if err := p.erasable(doc, f.Vault); err != nil {
		return nil, err
	}
	for unknown := range f.Fields {
		return nil, doc.Fault("fields."+unknown, "remove it; the fields are those of the table entries", "there is no field %q", unknown)
	}
	return p, nil
}

// withPlace puts file and line before an error of a field.
func withPlace(doc *strictyaml.Doc, field string, err error) error {
	return doc.Fault("fields."+field, text.HintOf(err), "%s", err.Error())
}

// ID is the first 12 hex digits of the policy's SHA-256: audit.Versions.Policy.
func (p *Policy) ID() string { return p.id }

// natural is the transform of the fields that a client's text could reach. All
// others hold words of closed lists, of the data map or numbers.
var natural = map[string]transform{
	"principal_id": pseudonymYear, "subjects": pseudonymDay,
	"session_id": pseudonymDay, "device_id": pseudonymDay, "request_id": pseudonymDay, "consent_ref": pseudonymDay,
	"client_cert_subject": pseudonymDay, "client_cert_sha256": pseudonymDay,
	"peer_ip": truncate, "client_ip": truncate, "xff_chain": truncate, "upstream": truncate,
	"client_app": toFamily, "user_agent": toFamily,
	"resource_name": toTemplate, "url_template": toTemplate, "query_keys": toTemplate, "target": toTemplate,
	"host": toHost, "sni": toHost, "referer": toHost,
	"tls_cipher": toWord, "found_places": toWord,
}

// fixed reports whether a field says where an entry stands in the record.
func fixed(name string) bool {
	return slices.Contains([]string{"schema_version", "event_time", "source", "stream", "generation", "offset", "chunk", "version", "row", "mark"}, name)
}

// permitted reports why a field may not have a transform.
func permitted(name string, t transform) error {
	switch t {
	case keep, drop, redact, pseudonymDay, pseudonymYear, truncate, toFamily, toTemplate, toHost, toWord:
	default:
		return &text.Hint{
			Err:  fmt.Errorf("%s: %q is no transform", name, string(t)),
			Hint: "use keep, drop, redact, pseudonym day, pseudonym year, truncate, family, template, host or word",
		}
	}
	if t == drop || t == redact {
		return nil
	}
	want, identifying := natural[name]
	if !identifying {
		want = keep
	}
	if t == want || name == "principal_id" && t == pseudonymDay {
		return nil
	}
	hint := "use " + string(want) + ", redact or drop"
	switch {
	case t == pseudonymYear:
		return &text.Hint{Err: fmt.Errorf("%s: a token that identifies a person has to be made with the key of the day", name), Hint: hint}
	case identifying && t == keep:
		return &text.Hint{Err: fmt.Errorf("%s: it can hold personal data and may not be kept", name), Hint: hint}
	}
	return &text.Hint{Err: fmt.Errorf("%s: it cannot be made with %q", name, string(t)), Hint: hint}
}
