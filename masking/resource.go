package masking

import (
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// resource sets what was accessed. Event.Resource is a template of the data
// map or one that enrich derived from closed lists: METHOD PATH, or KIND NAME.
// Nothing of path, query values and names in the line is copied.
func resource(e *audit.Event, out *audit.Entry) {
	out.Protocol, out.Operation, out.Action = e.Protocol, e.Operation, string(e.Action)
	out.SystemKey, out.Dataset, out.URLTemplate, out.ResourceDeclared = e.System, e.Dataset, e.Resource, e.ResourceMapped
	_, what, ok := strings.Cut(e.Resource, " ")
	if !ok {
		what = e.Resource
	}
	if e.Protocol == "kafka" || e.Protocol == "mqtt" {
		out.ResourceType = kafkaType(e.ResourceType.Reveal(access))
		if out.ResourceName = what; what == "" && !e.ResourceName.Empty() {
			out.ResourceName = plain.Redacted
		}
		return
	}
	out.Method = e.Operation
	out.ResourceType = "endpoint"
	out.QueryKeys = e.QueryKeys // a list of its own, which nothing writes to again
	out.Target = target(what, out.QueryKeys, !e.Target.Empty())
}

// target is the template's path with the keys of the query: values are gone.
func target(template string, keys []string, present bool) string {
	path, _, _ := strings.Cut(template, "?")
	if path == "" {
		return redactedIf(present)
	}
	if len(keys) == 0 {
		return path
	}
	n := len(path)
	for _, k := range keys {
		n += len(k) + 2
	}
	b := make([]byte, 0, n)
	b = append(b, path...)
	for i, k := range keys {
		sep := byte('&')
		if i == 0 {
			sep = '?'
		}
		b = append(b, sep)
		b = append(b, k...)
		b = append(b, '=')
	}
	return string(b)
}

// identifier reports whether s is a name such as a program gives: a letter,
// then letters, underscores, dashes and at most two digits.
func identifier(s string) bool {
	if len(s) == 0 || len(s) > 32 || s[0]|0x20 < 'a' || s[0]|0x20 > 'z' {
		return false
	}
	numbers := 0
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c == '_', c == '-':
		case c-'0' <= 9:
			if numbers++; numbers > 2 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// kafkaType is Kafka's resource type in lower case, from the closed list.
func kafkaType(s string) string {
	for _, t := range [...]string{"topic", "group", "cluster", "transactionalid", "delegationtoken", "user", "connector", "subject"} {
		if strings.EqualFold(s, t) {
			return t
		}
	}
	return "other"
}

// mapped copies what the data map says: keys, labels and words of closed lists.
func mapped(e *audit.Event, out *audit.Entry) {
	out.Categories, out.SpecialCategory = e.Categories, e.Special
	out.Purpose, out.PurposeSource, out.PurposeDocumented = e.Purpose, string(e.PurposeSource), e.PurposeDocumented
	if out.Purpose == "" {
		out.Purpose = redactedIf(!e.PurposeStated.Empty())
	}
	out.DataUse, out.LegalBasis, out.ContractRef, out.Recipient = e.DataUse, e.LegalBasis, e.ContractRef, e.Recipient
	out.ServiceCountry, out.DestCountry = e.ServiceCountry, e.DestCountry
	out.TransferKind, out.TransferRef = string(e.Transfer), e.TransferRef
	if len(e.Found) == 0 {
		return
	}
	both := make([]string, 2*len(e.Found))
	out.FoundKinds, out.FoundPlaces = both[:len(e.Found):len(e.Found)], both[len(e.Found):]
	for i, f := range e.Found {
		out.FoundKinds[i], out.FoundPlaces[i] = f.Kind, place(f.Place)
	}
}

// place is where something was found; the name of a field that is no plain
// identifier shows as field.
func place(s string) string {
	if identifier(strings.TrimPrefix(s, "header:")) {
		return s
	}
	return "field"
}
