package masking

import (
	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/strictyaml"
)

// DefaultPolicySource is the text of the built-in policy.
func DefaultPolicySource() []byte { return defaultPolicy }

// UnnamedFields are the fields of an entry that a policy's text does not name.
func UnnamedFields(data []byte) (names []string) {
	var f policyFile
	if _, err := strictyaml.Decode("test", data, &f); err != nil {
		panic(err)
	}
	for _, field := range audit.EntryFields {
		if f.Fields[field.Name] == "" {
			names = append(names, field.Name)
		}
	}
	return names
}
