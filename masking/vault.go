package masking

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/strictyaml"
	"github.com/tallystick/tallystick/masking/plain"
)

// kept is a field whose original a vault class keeps. Exactly one of one and
// list is set.
type kept struct {
	class, field string
	one          func(*audit.Event) plain.Text
	list         func(*audit.Event, int) (plain.Text, bool)
}

// originals are the fields that a vault class may name, with where their clear
// values are.
var originals = map[string]kept{
	"principal_id":        {one: func(e *audit.Event) plain.Text { return e.Principal }},
	"session_id":          {one: func(e *audit.Event) plain.Text { return e.Session }},
	"device_id":           {one: func(e *audit.Event) plain.Text { return e.DeviceID }},
	"request_id":          {one: func(e *audit.Event) plain.Text { return e.RequestID }},
	"client_cert_subject": {one: func(e *audit.Event) plain.Text { return e.ClientCertSubject }},
	"peer_ip":             {one: func(e *audit.Event) plain.Text { return e.PeerAddr }},
	"client_ip":           {one: func(e *audit.Event) plain.Text { return e.ClientAddr }},
	"target":              {one: func(e *audit.Event) plain.Text { return e.Target }},
	"referer":             {one: func(e *audit.Event) plain.Text { return e.Referer }},
	"user_agent":          {one: func(e *audit.Event) plain.Text { return e.UserAgent }},
	"subjects": {list: func(e *audit.Event, i int) (plain.Text, bool) {
		if i >= len(e.Subjects) {
			return plain.Text{}, false
		}
		return e.Subjects[i].Value, true
	}},
}

// parseVault reads the classes of a policy. A field belongs to one class.
func parseVault(doc *strictyaml.Doc, classes map[string][]string) ([]kept, error) {
	var out []kept
	class := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		if !ValidClass(name) {
			return nil, doc.Fault("vault", "write for example identity: [subjects]", "a vault class has a name of 1 to 32 lower-case letters, digits and dashes")
		}
		for _, field := range classes[name] {
			k, ok := originals[field]
			if !ok {
				return nil, doc.Fault("vault."+name, "use "+strings.Join(slices.Sorted(maps.Keys(originals)), ", "), "there is no original of %q", field)
			}
			if other := class[field]; other != "" {
				return nil, doc.Fault("vault."+name, "leave it in one of them", "%s is in two classes, %s and %s", field, other, name)
			}
			class[field] = name
			k.class, k.field = name, field
			out = append(out, k)
		}
	}
	return out, nil
}

// erasable reports an original that no erasure would find, because the policy
// leaves out the pseudonym of who it is about.
func (p *Policy) erasable(doc *strictyaml.Doc, classes map[string][]string) error {
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		for i, field := range classes[name] {
			for _, by := range namedBy(field) {
				if t := p.fields[by]; t == redact || t == drop {
					return doc.Fault(fmt.Sprintf("vault.%s[%d]", name, i), fmt.Sprintf("write %s: %s, or leave %s out of the vault", by, natural[by], field),
						"no erasure would find the originals of %s: it looks for people by the pseudonyms of %s, which has none here (%s)", field, by, t)
				}
			}
		}
	}
	return nil
}

// namedBy are the fields whose pseudonyms say who an original is about: a target
// or referer can hold the line's subjects and its principal, and every other field
// but theirs is the principal's.
func namedBy(field string) []string {
	switch field {
	case "subjects":
		return []string{"subjects"}
	case "target", "referer":
		return []string{"principal_id", "subjects"}
	}
	return []string{"principal_id"}
}

// ValidClass reports whether a name can be that of a vault class.
func ValidClass(name string) bool {
	return name != "" && len(name) <= 32 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Classes are the names of the policy's vault classes, sorted.
func (p *Policy) Classes() []string {
	var out []string
	for _, k := range p.vault {
		if !slices.Contains(out, k.class) {
			out = append(out, k.class)
		}
	}
	return out
}

// KeepOriginals makes the stage hand over the originals that the policy's vault
// classes name, in Batch.Unsealed. Without it none leave the stage.
func (g *Engine) KeepOriginals() { g.vault = g.policy.vault }

// keep collects the originals of line i, but those of people who were erased
// after it.
func (g *Engine) keep(b *audit.Batch, i int, gone *goneLine) {
	e := &b.Events[i]
	for k := range g.vault {
		v := &g.vault[k]
		if v.one != nil {
			if value := v.one(e); !value.Empty() && gone.keeps(v.field) {
				b.Unsealed = append(b.Unsealed, audit.Unsealed{Line: i, Class: v.class, Field: v.field, Value: value})
			}
			continue
		}
		for n := 0; ; n++ {
			value, ok := v.list(e, n)
			if !ok {
				break
			}
			if !value.Empty() && !slices.Contains(gone.subjects, n) {
				b.Unsealed = append(b.Unsealed, audit.Unsealed{Line: i, Class: v.class, Field: itemField(v.field, n), Value: value})
			}
		}
	}
}

// first are the names of the first items of the field of lists, so that the
// common ones cost nothing.
var first = [...]string{"subjects.0", "subjects.1", "subjects.2", "subjects.3"}

func itemField(field string, n int) string {
	if field == "subjects" && n < len(first) {
		return first[n]
	}
	return fmt.Sprintf("%s.%s", field, strconv.Itoa(n))
}
