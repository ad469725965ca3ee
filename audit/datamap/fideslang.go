package datamap

import (
	"strings"

	"github.com/tallystick/tallystick/internal/strictyaml"
	"github.com/tallystick/tallystick/schemas"
)

// Taxonomy is the fideslang taxonomy: keys are dotted paths, and a key covers
// all that begin with it.
type Taxonomy struct {
	Categories []Term `yaml:"categories"`
	Uses       []Term `yaml:"uses"`
	Subjects   []Term `yaml:"subjects"`

	categories, uses, subjects map[string]*Term
}

// Term is one key of the taxonomy.
type Term struct {
	Key  string `yaml:"key"`
	Name string `yaml:"name"`
	// Special marks a category of GDPR Art. 9 or 10.
	Special bool `yaml:"special"`
}

// LoadTaxonomy reads the embedded taxonomy.
func LoadTaxonomy() (*Taxonomy, error) {
	const name = "mapping/fideslang.yaml"
	data, err := schemas.Mapping.ReadFile(name)
	if err != nil {
		return nil, err
	}
	t := &Taxonomy{}
	if _, err := strictyaml.Decode(name, data, t); err != nil {
		return nil, err
	}
	t.categories, t.uses, t.subjects = byKey(t.Categories), byKey(t.Uses), byKey(t.Subjects)
	return t, nil
}

// Special reports whether a category falls under GDPR Art. 9 or 10.
func (t *Taxonomy) Special(category string) bool {
	c := t.categories[category]
	return c != nil && c.Special
}

// Covers reports whether the declared category covers another: user.contact
// covers user.contact and user.contact.email.
func Covers(declared, category string) bool {
	rest, ok := strings.CutPrefix(category, declared)
	return ok && (rest == "" || rest[0] == '.')
}

func byKey(terms []Term) map[string]*Term {
	m := make(map[string]*Term, len(terms))
	for i := range terms {
		m[terms[i].Key] = &terms[i]
	}
	return m
}
